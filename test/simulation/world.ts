/** A cluster in virtual time: the real parts over simulated brokers and a simulated table, as processes that can die. */

import { keepsAttribute, keepsSpan } from "../../src/dialects/dialects.ts";
import { DiskSpace } from "../../src/event-log/disk-space.ts";
import { KafkaConsumedLog } from "../../src/event-log/kafka-consumed-log.ts";
import { KafkaLog } from "../../src/event-log/kafka-log.ts";
import { KafkaResolverLog } from "../../src/event-log/kafka-resolver-log.ts";
import { KafkaSpansSink } from "../../src/event-log/kafka-spans-sink.ts";
import { createKafkaTopics, spansEntryBytesMax, topicsOf } from "../../src/event-log/kafka-topics.ts";
import { OwnedPartitions } from "../../src/event-log/owned-partitions.ts";
import { untilConsumed } from "../../src/event-log/until-consumed.ts";
import { defaultDecodeLimits } from "../../src/ingest/decoded-export.ts";
import { encodeExport } from "../../src/ingest/encoded-export.ts";
import { logClock } from "../../src/ingest/log-clock.ts";
import { decodeJsonExport } from "../../src/ingest/otlp-json.ts";
import { type Random, seededRandom } from "../../src/ingest/otlp-random.ts";
import { Resolver } from "../../src/ingest/resolver.ts";
import { Writer } from "../../src/ingest/writer.ts";
import { PriceBook } from "../../src/pricing/price-book.ts";
import { SimulatedKafka } from "./kafka.ts";
import { MemoryDisk } from "./memory-environment.ts";
import { SimulatedStore } from "./store.ts";
import type { VirtualTime } from "./virtual-time.ts";

export type Role = "collector" | "resolver" | "writer";

export interface WorldOptions {
  readonly seed: number;
  readonly time: VirtualTime;
}

/** The largest that was seen of what must stay bounded. */
export interface Peaks {
  rowsOfBatch: number;
  tracesHeld: number;
  wrappersHeld: number;
  spansKnown: number;
}

/** A process with its disk; dead ones stay dead, and a new one takes the disk over, or not. */
export interface Process {
  readonly role: Role;
  readonly clockAheadMs: number;
  readonly disk: MemoryDisk;
  dead: boolean;
  /** Of a collector: takes an export, and resolves when it is acknowledged. */
  readonly take: (body: string) => Promise<void>;
}

const prefix = "simulated";
const topics = topicsOf({ prefix });
export const partitions = 4;
export const rowsMax = 2000;
export const identities = { horizonMs: 3_600_000, entriesMax: 3_000_000 };
/** As on a server with `non_replicated_deduplication_window = 10000`. */
const windowParts = 10_000;
const filter = { keepsAttribute, keepsSpan };
const dayMs = 86_400_000;

export class World {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly kafka: SimulatedKafka;
  readonly store: SimulatedStore;
  readonly processes: Process[] = [];
  readonly peaks: Peaks = { rowsOfBatch: 0, tracesHeld: 0, wrappersHeld: 0, spansKnown: 0 };
  readonly kills = { count: 0 };
  readonly #prices = new PriceBook();

  constructor({ seed, time }: WorldOptions) {
    this.time = time;
    this.random = seededRandom(seed);
    this.kafka = new SimulatedKafka(this.random, (process, work) => time.as(process as Process | null, work));
    this.store = new SimulatedStore(this.random, windowParts);
  }

  async createTopics(): Promise<void> {
    await createKafkaTopics(this.kafka.client(), { prefix, partitions, replicas: 1 }, identities);
  }

  start(role: Role, { clockAheadMs = 0, disk = new MemoryDisk() } = {}): Process {
    const process: Process = { role, clockAheadMs, disk, dead: false, take: (body) => take(body) };
    let take: Process["take"] = () => Promise.reject(new Error(`a ${role} takes no exports`));
    this.processes.push(process);
    this.time.as(process, () => {
      if (role === "collector") take = this.#collector(process);
      else this.#workers(process, role);
    });
    return process;
  }

  /** After so long, whoever asks for it. */
  startLater(milliseconds: number, role: Role, options: { readonly disk?: MemoryDisk } = {}): void {
    this.time.as(null, () => setTimeout(() => this.start(role, options), milliseconds));
  }

  /** Without a word. */
  kill(process: Process): void {
    process.dead = true;
    this.kills.count++;
    this.processes.splice(this.processes.indexOf(process), 1);
  }

  of(role: Role): readonly Process[] {
    return this.processes.filter((one) => one.role === role);
  }

  /** Resolves when everything that is in the spans topic now is in the table. */
  async settled(withinMs: number): Promise<void> {
    const client = this.kafka.client();
    await untilConsumed(client, `${prefix}.resolver`, topics.spans, AbortSignal.timeout(withinMs));
    await untilConsumed(client, `${prefix}.writer`, topics.usage, AbortSignal.timeout(withinMs));
  }

  #collector(process: Process): Process["take"] {
    const sink = new KafkaSpansSink(this.kafka.client(process), topics.spans);
    const now = clock();
    return (body) =>
      this.time.as(process, async () => {
        if (process.dead) throw new Error("nobody listens");
        const decoded = decodeJsonExport(Buffer.from(body), defaultDecodeLimits, filter);
        const arrival = { arrivedAtMs: now(), oldestMs: 90 * dayMs };
        const { entries, rejected } = encodeExport(decoded, arrival, { partitions, entryBytesMax: spansEntryBytesMax });
        if (rejected.length > 0) throw new Error(`rejected: ${rejected[0]?.reason}`);
        await sink.append(entries);
      });
  }

  #workers(process: Process, role: "resolver" | "writer"): void {
    const client = this.kafka.client(process);
    const owned = new OwnedPartitions({
      client,
      group: `${prefix}.${role}`,
      topic: role === "resolver" ? topics.spans : topics.usage,
      open: (partition) =>
        role === "resolver" ? this.#resolver(process, partition) : this.#writer(process, partition),
      failed: () => undefined,
    });
    const join = (): Promise<void> =>
      owned.start().catch(async () => {
        await new Promise((again) => setTimeout(again, 1000));
        return join();
      });
    void join();
  }

  async #resolver(process: Process, partition: number) {
    const client = this.kafka.client(process);
    const directory = `memory-${partition}`;
    const now = clock();
    const part = { client, prefix, topics, partition, partitions, directory, identities, now };
    const usage = await KafkaResolverLog.open({ ...part, copy: process.disk.copy(directory) });
    const spans = await KafkaLog.open({ client, topic: topics.spans, partition });
    const resolver = new Resolver({
      spans,
      usage,
      freshUsage: null,
      prices: this.#prices,
      now,
      findStored: async (wanted, signal) => {
        await untilConsumed(client, `${prefix}.writer`, topics.usage, signal);
        return this.store.find(wanted);
      },
      observe: () => {
        const { traces, wrappers } = resolver.held();
        this.peaks.tracesHeld = Math.max(this.peaks.tracesHeld, traces);
        this.peaks.wrappersHeld = Math.max(this.peaks.wrappersHeld, wrappers);
        this.peaks.spansKnown = Math.max(this.peaks.spansKnown, usage.memory.identityStats(now()).entries);
      },
    });
    return {
      failed: resolver.start().failed,
      stop: async () => {
        await resolver.stop();
        await spans.close();
        await usage.close();
      },
    };
  }

  async #writer(process: Process, partition: number) {
    const client = this.kafka.client(process);
    const usage = await KafkaConsumedLog.open({ client, prefix, topics, partition, consumer: "writer" });
    const writer = new Writer({
      logId: usage.logId,
      usage,
      fresh: null,
      store: this.store.asStore(),
      space: new DiskSpace({ directory: "", freeBytesMin: 0, freeBytes: () => Number.POSITIVE_INFINITY }),
      rowsMax,
      alone: false,
      lingerMs: 1000,
      now: clock(),
      observe: ({ rows }) => {
        this.peaks.rowsOfBatch = Math.max(this.peaks.rowsOfBatch, rows);
      },
      repaired: () => undefined,
      failed: () => undefined,
    });
    return {
      failed: writer.start().failed,
      stop: async () => {
        await writer.stop();
        await usage.close();
      },
    };
  }
}

function clock(): () => number {
  return logClock({ wall: () => Date.now(), steady: () => performance.now() });
}
