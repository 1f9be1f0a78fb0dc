/** The re-pricing of the records that a resolver has resolved: its share of what was asked for. */

import { setTimeout } from "node:timers/promises";
import { partitionOf } from "../event-log/partition-of.ts";
import type { ResolverLog } from "../event-log/usage-log.ts";
import { PartitionCorrections } from "../ingest/partition-corrections.ts";
import type { Resolver } from "../ingest/resolver.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import type { PriceBook } from "../pricing/price-book.ts";
import { priceVersionOf } from "../repricing/range-difference.ts";
import { auditOf, type RepriceJob } from "../repricing/reprice-job.ts";
import { Repricer } from "../repricing/repricer.ts";
import type { Store } from "../store/store.ts";
import { now, type PartOptions } from "./parts.ts";
import { type RepriceBoard, repriceWords } from "./reprice-board.ts";

export interface ShareOptions extends PartOptions {
  readonly board: RepriceBoard;
  /** The topic of the board. */
  readonly topic: string;
  readonly partition: number;
  readonly store: Store;
  readonly prices: PriceBook;
  readonly usage: ResolverLog;
  readonly between: Resolver["between"];
  readonly untilStored: () => Promise<void>;
}

const stateName = "reprice";
const lookEveryMs = 2000;
const saidAgainMs = 60_000;

/**
 * Looks for what is asked for, and does its share: of partition 0, the writing down as well, once all are done. `failed`
 * rejects when a commit failed: the partition is to be opened again.
 */
export class RepriceShare {
  readonly #options: ShareOptions;
  readonly #stopping = new AbortController();
  readonly #failed = Promise.withResolvers<never>();
  #corrections: PartitionCorrections | undefined;
  #repricer: Repricer | undefined;
  #running: Promise<void> = Promise.resolve();
  #saidAtMs = 0;

  constructor(options: ShareOptions) {
    this.#options = options;
    this.#failed.promise.catch(() => undefined);
  }

  /** Begins with what its former owner left unfinished. */
  start(): { readonly failed: Promise<never> } {
    this.#running = this.#run();
    return { failed: this.#failed.promise };
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    await this.#repricer?.stop();
  }

  /** Told of the records of each step of the resolver. */
  resolved(records: readonly UsageRecord[]): void {
    this.#corrections?.resolved(records);
  }

  async #run(): Promise<void> {
    const { board, log, partition } = this.#options;
    const { signal } = this.#stopping;
    // What the former owner has said last must be known before anything is done.
    for (let isKnown = false; !signal.aborted; ) {
      try {
        await (isKnown ? board.lately() : board.read());
        isKnown = true;
        await this.#look();
      } catch (error) {
        log.warn({ partition, error: (error as Error).message }, "cannot see what is to be re-priced");
      }
      await setTimeout(lookEveryMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async #look(): Promise<void> {
    const { board, partition } = this.#options;
    const asked = board.asked();
    if (asked === undefined) return;
    const own = this.#repricer?.job() ?? board.share(partition);
    if (this.#repricer === undefined && own?.finishedAtMs === null) this.#goOn(own);
    else if (own?.id === asked.id) await this.#audit();
    else if (own === undefined || own.finishedAtMs !== null) await this.#begin(asked);
  }

  #goOn(job: RepriceJob): void {
    const { log, partition } = this.#options;
    log.info({ partition, reprice: job.id }, "goes on with a re-pricing");
    this.#repricer = this.#open({ [stateName]: job });
    this.#repricer.start();
  }

  async #begin(asked: RepriceJob): Promise<void> {
    const { log, partition, prices } = this.#options;
    const own = priceVersionOf(prices);
    if (own !== asked.priceVersion) {
      if (now() - this.#saidAtMs < saidAgainMs) return;
      this.#saidAtMs = now();
      const about = { partition, reprice: asked.id, prices: own, asked: asked.priceVersion };
      log.warn(about, "a re-pricing waits: this process has another price list than the one that was shown");
      return;
    }
    log.info({ partition, reprice: asked.id }, "re-pricing");
    await this.#repricer?.stop();
    this.#repricer = this.#open({});
    await this.#repricer.begin(asked);
  }

  #open(state: Readonly<Record<string, unknown>>): Repricer {
    const { partition, store, prices, usage, between, untilStored, metrics, log, config } = this.#options;
    const corrections = new PartitionCorrections({
      usage,
      between,
      untilStored,
      state,
      encode: (kept) => repriceWords.share(partition, kept[stateName] as RepriceJob),
      observe: (count) => metrics.corrections.inc(count),
      failed: (error) => this.#failed.reject(error),
    });
    this.#corrections = corrections;
    return new Repricer({
      store,
      prices,
      log: corrections,
      owns: ({ traceId }) => partitionOf(traceId, config.kafkaPartitions) === partition,
      // What all shares come to is written down, below.
      audit: async () => {
        this.#corrections = undefined;
      },
      now,
      failed: (error, retryInMs) =>
        log.error(
          { partition, error: error.message, retry_in_ms: retryInMs },
          "re-pricing interrupted, goes on where it was",
        ),
    });
  }

  /** Once all shares are done, the first one writes down what they come to. */
  async #audit(): Promise<void> {
    const { board, client, topic, partition, store, config } = this.#options;
    const sum = board.sum();
    if (partition !== 0 || sum === undefined || sum.finishedAtMs !== null) return;
    if (board.progress().finished < config.kafkaPartitions) return;
    await store.recordReprice(auditOf({ ...sum, finishedAtMs: now() }));
    const producer = await client.producer();
    try {
      await producer.send([repriceWords.audited(topic, sum.id)]);
    } finally {
      await producer.close();
    }
  }
}
