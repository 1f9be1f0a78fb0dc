/** What a span costs in each part of a cluster: collector into Kafka, resolver from Kafka to Kafka, writer into ClickHouse. */

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
import { kafkajsClient } from "../../src/event-log/kafkajs-client.ts";
import { defaultDecodeLimits } from "../../src/ingest/decoded-export.ts";
import { type EncodedExport, encodeExport } from "../../src/ingest/encoded-export.ts";
import { decodeProtobufExport } from "../../src/ingest/otlp-protobuf.ts";
import { Resolver } from "../../src/ingest/resolver.ts";
import { Writer } from "../../src/ingest/writer.ts";
import { PriceBook } from "../../src/pricing/price-book.ts";
import { openRemoteStore } from "../../src/store/remote.ts";
import { seededRandom } from "../../src/store/sample-records.ts";
import { startClickhouseServer } from "../support/clickhouse-server.ts";
import { kafkaMissing, startBroker } from "../support/kafka-broker.ts";
import type { Bench, BenchOptions, Cell, Table } from "./bench.ts";
import { clientsTable } from "./kafka-clients.ts";
import { encodeProtobufRequest } from "./otlp-writer.ts";
import { payloadRequest } from "./payload.ts";
import { median } from "./statistics.ts";

const partitions = 4;
const spansPerBody = 500;
const bodies = 120;
const spans = spansPerBody * bodies;
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
  readonly cpuUs: number;
  readonly seconds: number;
}

export const cluster: Bench = {
  name: "cluster",
  summary: "collector, resolver and writer over a real Kafka broker, per core; Kafka clients side by side",
  async run({ runs, progress }: BenchOptions) {
    const missing = await kafkaMissing();
    if (missing !== undefined) return [];
    const broker = await startBroker();
    const client = kafkajsClient({ brokers: [broker.address], clientId: "burnwatch-bench" });
    try {
      const stages = new Map<string, Cost[]>();
      // The first round warms up.
      for (let round = 0; round <= runs; round++) {
        progress(`parts of a cluster, round ${round} of ${runs}`);
        for (const [stage, cost] of await measureRound(client, `bench-${process.pid}-${round}`, {
          bodies,
          spansPerBody,
        })) {
          const costs = stages.get(stage) ?? [];
          if (round > 0) costs.push(cost);
          stages.set(stage, costs);
        }
      }
      return [stagesTable(stages, runs), await clientsTable(broker.address, progress)];
    } finally {
      await client.close();
      await broker.stop();
    }
  },
};

function stagesTable(stages: ReadonlyMap<string, readonly Cost[]>, runs: number): Table {
  const rows = Array.from(stages, ([stage, costs]): Cell[] => {
    const cpuUs = median(costs.map((cost) => cost.cpuUs)) / spans;
    return [stage, cpuUs, 1e6 / cpuUs, spans / median(costs.map(({ seconds }) => seconds)), 100_000];
  });
  return {
    title: `${spans} spans in exports of ${spansPerBody}, ${partitions} partitions of each topic, zstd, one broker`,
    columns: [
      { title: "part" },
      { title: "CPU us/span", digits: 2 },
      { title: "spans/s per core", digits: 0 },
      { title: "spans/s seen", digits: 0 },
      { title: "to reach per core", digits: 0 },
    ],
    rows,
    notes: [
      `Medians of ${runs} rounds; process.cpuUsage of all threads of this process: the broker and ClickHouse are processes of their own on the same cores.`,
      "collector: decode, encode by partition, append; inflation and HTTP are not in it. resolver: fetch, resolve, transaction, copy of its memory. writer: fetch, plan, encode, insert.",
    ],
  };
}

/** What a load costs in each part, over topics of its own. */
export async function measureRound(
  client: KafkaClient,
  prefix: string,
  { bodies, spansPerBody }: Load,
): Promise<ReadonlyMap<string, Cost>> {
  const spans = bodies * spansPerBody;
  const directory = mkdtempSync(join(tmpdir(), "burnwatch-bench-cluster-"));
  await createKafkaTopics(client, { prefix, partitions, replicas: 1 }, identities);
  const random = seededRandom(spans);
  const sent = Array.from({ length: bodies }, () =>
    encodeProtobufRequest(payloadRequest(spansPerBody, Date.now(), random)),
  );
  try {
    return new Map([
      ["collector: decode and encode", await measured(async () => encodeAll(sent))],
      ["collector: append", await measuredAppend(client, prefix, encodeAll(sent))],
      ["resolver", await measured(() => resolveAll(client, prefix, directory, spans))],
      ["writer", await measureWriter(client, prefix, directory, spans)],
    ]);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function measured(work: () => Promise<unknown>): Promise<Cost> {
  const [before, startedAt] = [process.cpuUsage(), performance.now()];
  await work();
  const { user, system } = process.cpuUsage(before);
  return { cpuUs: user + system, seconds: (performance.now() - startedAt) / 1000 };
}

function encodeAll(sent: readonly Uint8Array[]): EncodedExport[] {
  return sent.map((body) => {
    const decoded = decodeProtobufExport(body, defaultDecodeLimits, filter);
    return encodeExport(decoded, { arrivedAtMs: Date.now(), oldestMs: 90 * 86_400_000 }, layout);
  });
}

async function measuredAppend(client: KafkaClient, prefix: string, exports: readonly EncodedExport[]): Promise<Cost> {
  const sink = new KafkaSpansSink(client, topicsOf({ prefix }).spans);
  let next = 0;
  const exporter = async () => {
    for (let one = exports[next++]; one !== undefined; one = exports[next++]) await sink.append(one.entries);
  };
  const cost = await measured(() => Promise.all(Array.from({ length: exporters }, exporter)));
  await sink.close();
  return cost;
}

async function resolveAll(client: KafkaClient, prefix: string, directory: string, spans: number): Promise<void> {
  const topics = topicsOf({ prefix });
  const all = Promise.withResolvers<void>();
  let resolved = 0;
  const workers = Array.from({ length: partitions }, async (_, partition) => {
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
      observe: (step) => {
        resolved += step.spans;
        if (resolved >= spans) all.resolve();
      },
    });
    resolver.start().failed.catch(all.reject);
    await all.promise;
    await resolver.stop();
    await log.close();
    await usage.close();
  });
  await Promise.all(workers);
}

async function measureWriter(client: KafkaClient, prefix: string, directory: string, spans: number): Promise<Cost> {
  const clickhouse = await startClickhouseServer();
  const store = await openRemoteStore({ url: clickhouse.url, database: "bench" });
  try {
    await store.migrate();
    return await measured(async () => {
      const all = Promise.withResolvers<void>();
      let written = 0;
      const workers = Array.from({ length: partitions }, async (_, partition) => {
        const topics = topicsOf({ prefix });
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
          observe: ({ rows }) => {
            written += rows;
            if (written >= spans) all.resolve();
          },
          repaired: () => undefined,
          failed: all.reject,
        });
        writer.start().failed.catch(all.reject);
        await all.promise;
        await writer.stop();
        await usage.close();
      });
      await Promise.all(workers);
    });
  } finally {
    await store.close();
    await clickhouse.stop();
  }
}
