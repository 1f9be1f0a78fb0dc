/** The parts of a cluster over a real broker, as benches run them: each in this process, over topics of its own. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { keepsAttribute, keepsSpan } from "../../src/dialects/dialects.ts";
import { DiskSpace } from "../../src/event-log/disk-space.ts";
import type { KafkaClient } from "../../src/event-log/kafka-client.ts";
import { KafkaConsumedLog } from "../../src/event-log/kafka-consumed-log.ts";
import { KafkaLog } from "../../src/event-log/kafka-log.ts";
import { KafkaResolverLog } from "../../src/event-log/kafka-resolver-log.ts";
import { KafkaSpansSink } from "../../src/event-log/kafka-spans-sink.ts";
import { createKafkaTopics, spansEntryBytesMax, topicsOf } from "../../src/event-log/kafka-topics.ts";
import { defaultDecodeLimits } from "../../src/ingest/decoded-export.ts";
import { type EncodedExport, encodeExport } from "../../src/ingest/encoded-export.ts";
import { decodeProtobufExport } from "../../src/ingest/otlp-protobuf.ts";
import { Resolver } from "../../src/ingest/resolver.ts";
import { Writer } from "../../src/ingest/writer.ts";
import { PriceBook } from "../../src/pricing/price-book.ts";
import { openRemoteStore } from "../../src/store/remote.ts";
import { seededRandom } from "../../src/store/sample-records.ts";
import type { Store } from "../../src/store/store.ts";
import { startClickhouseServer } from "../support/clickhouse-server.ts";
import { encodeProtobufRequest } from "./otlp-writer.ts";
import { payloadRequest } from "./payload.ts";

/** Of each topic. */
export const partitions = 4;
/** Exports under way at once. */
const exporters = 16;
const identities = { horizonMs: 3_600_000, entriesMax: 50_000_000 };
const filter = { keepsAttribute, keepsSpan };
const layout = { partitions, entryBytesMax: spansEntryBytesMax };

/** A load: so many exports of so many spans. */
export interface Load {
  readonly bodies: number;
  readonly spansPerBody: number;
}

export interface Cost {
  /** Of all threads of this process. */
  readonly cpuUs: number;
  /** Of them, its main thread. */
  readonly mainUs: number;
  readonly seconds: number;
}

export interface Round {
  readonly costs: ReadonlyMap<string, Cost>;
  /** Mean size of a message of the spans topic, before it is compressed. */
  readonly messageBytes: number;
}

/** Where parts work. */
export interface Ground {
  readonly client: KafkaClient;
  readonly prefix: string;
  /** Of this machine, for copies of memory. */
  readonly directory: string;
}

/** Parts at work, one for each partition. */
export interface Running {
  /** Rejects when one of them fails. */
  readonly failed: Promise<never>;
  stop(): Promise<void>;
}

/** What a load costs in each part, over topics of its own. */
export async function measureRound(client: KafkaClient, prefix: string, load: Load): Promise<Round> {
  const spans = load.bodies * load.spansPerBody;
  const ground = { client, prefix, directory: mkdtempSync(join(tmpdir(), "burnwatch-bench-cluster-")) };
  await createTopics(ground);
  const random = seededRandom(spans);
  const sent = Array.from({ length: load.bodies }, () => exportBytes(load.spansPerBody, Date.now(), random));
  try {
    const exports = encodeAll(sent);
    const costs = new Map([
      ["collector: decode and encode", await measured(async () => encodeAll(sent))],
      ["collector: append", await measuredAppend(ground, exports)],
      ["resolver", await measured(() => resolveAll(ground, spans))],
      ["writer", await measureWriter(ground, spans)],
    ]);
    const sizes = exports.flatMap(({ entries }) => entries.map(({ payload }) => payload.length));
    return { costs, messageBytes: sizes.reduce((sum, size) => sum + size, 0) / sizes.length };
  } finally {
    rmSync(ground.directory, { recursive: true, force: true });
  }
}

/** The topics of a ground. */
export function createTopics({ client, prefix }: Ground): Promise<void> {
  return createKafkaTopics(client, { prefix, partitions, replicas: 1 }, identities);
}

/** One export as it arrives, its spans around that time. */
export function exportBytes(spans: number, atMs: number, random: () => number): Uint8Array {
  return encodeProtobufRequest(payloadRequest(spans, atMs, random));
}

/** One export as a collector appends it. */
export function encoded(body: Uint8Array, arrivedAtMs: number): EncodedExport {
  const decoded = decodeProtobufExport(body, defaultDecodeLimits, filter);
  return encodeExport(decoded, { arrivedAtMs, oldestMs: 90 * 86_400_000 }, layout);
}

async function measured(work: () => Promise<unknown>): Promise<Cost> {
  const [before, mainBefore, startedAt] = [process.cpuUsage(), process.threadCpuUsage(), performance.now()];
  await work();
  const [{ user, system }, main] = [process.cpuUsage(before), process.threadCpuUsage(mainBefore)];
  return {
    cpuUs: user + system,
    mainUs: main.user + main.system,
    seconds: (performance.now() - startedAt) / 1000,
  };
}

function encodeAll(sent: readonly Uint8Array[]): EncodedExport[] {
  return sent.map((body) => encoded(body, Date.now()));
}

async function measuredAppend({ client, prefix }: Ground, exports: readonly EncodedExport[]): Promise<Cost> {
  const sink = new KafkaSpansSink(client, topicsOf({ prefix }).spans);
  let next = 0;
  const exporter = async () => {
    for (let one = exports[next++]; one !== undefined; one = exports[next++]) await sink.append(one.entries);
  };
  const cost = await measured(() => Promise.all(Array.from({ length: exporters }, exporter)));
  await sink.close();
  return cost;
}

async function resolveAll(ground: Ground, spans: number): Promise<void> {
  const all = Promise.withResolvers<void>();
  let resolved = 0;
  const running = await startResolvers(ground, (more) => {
    resolved += more;
    if (resolved >= spans) all.resolve();
  });
  await Promise.race([all.promise, running.failed]);
  await running.stop();
}

/** A resolver for each partition; `observe` is told of spans that are resolved. */
export async function startResolvers(ground: Ground, observe: (spans: number) => void): Promise<Running> {
  const { client, prefix, directory } = ground;
  const topics = topicsOf({ prefix });
  return startEach(async (partition, fail) => {
    const part = { client, prefix, topics, partition, partitions, identities, now: Date.now };
    const usage = await KafkaResolverLog.open({ ...part, directory: join(directory, `memory-${partition}`) });
    const log = await KafkaLog.open({ client, topic: topics.spans, partition });
    const resolver = new Resolver({
      spans: log,
      usage,
      freshUsage: null,
      prices: new PriceBook(),
      findStored: async () => new Map(),
      now: Date.now,
      observe: ({ spans }) => observe(spans),
    });
    resolver.start().failed.catch(fail);
    return async () => {
      await resolver.stop();
      await log.close();
      await usage.close();
    };
  });
}

async function measureWriter(ground: Ground, spans: number): Promise<Cost> {
  const clickhouse = await startClickhouseServer();
  const store = await openRemoteStore({ url: clickhouse.url, database: "bench" });
  try {
    await store.migrate();
    return await measured(async () => {
      const all = Promise.withResolvers<void>();
      let written = 0;
      const running = await startWriters(ground, store, (rows) => {
        written += rows;
        if (written >= spans) all.resolve();
      });
      await Promise.race([all.promise, running.failed]);
      await running.stop();
    });
  } finally {
    await store.close();
    await clickhouse.stop();
  }
}

/** A writer for each partition; `observe` is told of rows that are stored. */
export async function startWriters(ground: Ground, store: Store, observe: (rows: number) => void): Promise<Running> {
  const { client, prefix, directory } = ground;
  const topics = topicsOf({ prefix });
  return startEach(async (partition, fail) => {
    const usage = await KafkaConsumedLog.open({ client, prefix, topics, partition, consumer: "writer" });
    const writer = new Writer({
      logId: usage.logId,
      usage,
      fresh: null,
      store,
      space: new DiskSpace({ directory, freeBytesMin: 0 }),
      rowsMax: 20_000,
      alone: false,
      lingerMs: 1000,
      now: Date.now,
      observe: ({ rows }) => observe(rows),
      repaired: () => undefined,
      failed: fail,
    });
    writer.start().failed.catch(fail);
    return async () => {
      await writer.stop();
      await usage.close();
    };
  });
}

type StartPart = (partition: number, fail: (error: Error) => void) => Promise<() => Promise<void>>;

async function startEach(start: StartPart): Promise<Running> {
  const { promise: failed, reject } = Promise.withResolvers<never>();
  failed.catch(() => undefined);
  const stops = await Promise.all(Array.from({ length: partitions }, (_, partition) => start(partition, reject)));
  return { failed, stop: async () => void (await Promise.all(stops.map((stop) => stop()))) };
}
