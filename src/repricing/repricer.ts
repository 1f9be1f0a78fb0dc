/**
 * Re-prices history. Each window's corrections and the place reached are one transaction of the usage log, from which the
 * writer stores them exactly once: a kill at any moment loses no correction and repeats none. What is killed goes on at
 * the next start; what is run twice finds nothing left to correct.
 */

import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type { UsageRecord } from "../model/usage-record.ts";
import type { PriceBook } from "../pricing/price-book.ts";
import type { Store } from "../store/store.ts";
import { type Difference, priceVersionOf, rangeDifference } from "./range-difference.ts";
import { newJob, RepriceConflictError, type RepriceJob } from "./reprice-job.ts";
import { checkConditions, type RepriceRange, windowsOf } from "./reprice-range.ts";
import { type PriceCorrection, priceWindow } from "./reprice-window.ts";

/** The one way to correct what is resolved: `Corrections` of the ingest room. */
export interface CorrectionLog {
  writtenOffset(): number;
  lastOffset(): number;
  state(name: string): unknown;
  /** @returns how many were left out because they changed meanwhile; undefined when nothing could be decided. */
  commit(step: {
    readonly readAtOffset: number;
    readonly corrections: readonly PriceCorrection[];
    readonly state: (made: readonly PriceCorrection[]) => Readonly<Record<string, unknown>>;
  }): Promise<number | undefined>;
}

export interface RepricerOptions {
  readonly store: Store;
  readonly prices: PriceBook;
  readonly log: CorrectionLog;
  /** Which records are this one's to correct; all, where it is left out. */
  readonly owns?: (record: UsageRecord) => boolean;
  /** Writes down what is done; repeating it changes nothing. */
  readonly audit: (job: RepriceJob) => Promise<void>;
  readonly now: () => number;
  /** Told of each failure; what failed is tried again. */
  readonly failed: (error: Error, retryInMs: number) => void;
}

const stateName = "reprice";
const waitMs = 20;
const retryMs = 5000;

export class Repricer {
  readonly #options: RepricerOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(options: RepricerOptions) {
    this.#options = options;
  }

  /** Goes on with what was interrupted. */
  start(): void {
    if (this.#unfinished() !== undefined) this.#begin();
  }

  /** Ends after the window at hand; the rest is done at the next start. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** Names the prices in use: equal names, equal prices. */
  priceVersion(): string {
    return priceVersionOf(this.#options.prices);
  }

  /** What would change. @throws UnknownConditionError */
  difference(range: RepriceRange): Promise<Difference> {
    const { store, prices } = this.#options;
    return rangeDifference(range, store, prices);
  }

  /**
   * Begins to correct a range. Resolves once that is durable, not when it is done.
   * @throws RepriceConflictError when another one runs, or `priceVersion` is not in use any more.
   */
  async apply(range: RepriceRange, asked: { readonly by: string; readonly priceVersion: string }): Promise<RepriceJob> {
    checkConditions(range.where);
    const running = this.#unfinished();
    if (running !== undefined) throw new RepriceConflictError(`re-pricing ${running.id} still runs`);
    if (asked.priceVersion !== this.priceVersion())
      throw new RepriceConflictError("the prices have changed since the difference was shown: look at it again");
    const job = newJob(range, { ...asked, id: randomUUID(), startedAtMs: this.#options.now() });
    await this.begin(job);
    return job;
  }

  /** Begins what was asked for elsewhere; none may run. Resolves once that is durable. */
  async begin(job: RepriceJob): Promise<void> {
    await this.#save(job);
    this.#begin();
  }

  /** The newest re-pricing, running or finished. */
  job(): RepriceJob | undefined {
    return this.#options.log.state(stateName) as RepriceJob | undefined;
  }

  #unfinished(): RepriceJob | undefined {
    const job = this.job();
    return job?.finishedAtMs === null ? job : undefined;
  }

  #begin(): void {
    this.#running = this.#untilDone();
  }

  /** What fails is tried again, as the writer's inserts are: a store that is away comes back. */
  async #untilDone(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        return await this.#run();
      } catch (error) {
        if (signal.aborted) return;
        this.#options.failed(error as Error, retryMs);
        await setTimeout(retryMs, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const job = this.#unfinished();
      if (job === undefined) return;
      // Prices that change meanwhile hold for all of its range: what is corrected already is looked at again.
      const priceVersion = this.priceVersion();
      if (job.priceVersion !== priceVersion) await this.#save({ ...job, priceVersion, cursorUs: job.sinceUs });
      else if (await this.#pass(job)) await this.#finish();
    }
  }

  /** From the cursor to the end of the range. @returns false when prices changed on the way, or it was told to stop. */
  async #pass(job: RepriceJob): Promise<boolean> {
    const isOver = () => this.#stopping.signal.aborted || this.priceVersion() !== job.priceVersion;
    await this.#untilWritten();
    for (const window of await windowsOf({ ...job, sinceUs: job.cursorUs }, this.#options.store)) {
      if (isOver()) return false;
      await this.#correct(window);
    }
    return !isOver();
  }

  async #finish(): Promise<void> {
    await this.#untilWritten();
    if (this.#stopping.signal.aborted) return;
    const job = this.#unfinished();
    if (job === undefined) return;
    const done = { ...job, finishedAtMs: this.#options.now() };
    await this.#options.audit(done);
    await this.#save(done);
  }

  /** Until nothing of the window had changed meanwhile. */
  async #correct(window: RepriceRange): Promise<void> {
    const { store, prices, owns, log } = this.#options;
    for (;;) {
      const readAtOffset = log.writtenOffset();
      const { corrections } = await priceWindow(window, store, prices, owns);
      const leftOut = await log.commit({
        readAtOffset,
        corrections,
        state: (made) => {
          const job = this.#unfinished();
          if (job === undefined) throw new Error("a re-pricing that is not running cannot correct");
          const complete = made.length === corrections.length;
          return { [stateName]: { ...withCorrections(job, made), cursorUs: complete ? window.untilUs : job.cursorUs } };
        },
      });
      if (leftOut === 0 || this.#stopping.signal.aborted) return;
      await this.#untilWritten();
    }
  }

  /** Waits until the table holds what the log holds now. */
  async #untilWritten(): Promise<void> {
    const { log } = this.#options;
    const wanted = log.lastOffset();
    while (log.writtenOffset() < wanted && !this.#stopping.signal.aborted) await setTimeout(waitMs);
  }

  async #save(job: RepriceJob): Promise<void> {
    const { log } = this.#options;
    for (;;) {
      const saved = await log.commit({
        readAtOffset: log.lastOffset(),
        corrections: [],
        state: () => ({ [stateName]: job }),
      });
      if (saved !== undefined) return;
    }
  }
}

function withCorrections(job: RepriceJob, made: readonly PriceCorrection[]): RepriceJob {
  const sum = (start: string, nanoUsd: (correction: PriceCorrection) => number | null) =>
    made.reduce((total, correction) => total + BigInt(nanoUsd(correction) ?? 0), BigInt(start)).toString();
  return {
    ...job,
    calls: job.calls + made.length,
    beforeNanoUsd: sum(job.beforeNanoUsd, ({ previous }) => previous.costNanoUsd),
    afterNanoUsd: sum(job.afterNanoUsd, ({ corrected }) => corrected.costNanoUsd),
  };
}
