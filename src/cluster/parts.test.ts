/** Parts over the simulation's Kafka whose openings fail: what they have opened by then is closed again. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, expect, it } from "vitest";
import { SimulatedKafka } from "../../test/simulation/kafka.ts";
import { readConfig } from "../config.ts";
import type { KafkaClient, KafkaTransactions } from "../event-log/kafka-client.ts";
import { createKafkaTopics, topicsOf } from "../event-log/kafka-topics.ts";
import { createMetrics } from "../http/metrics.ts";
import { seededRandom } from "../ingest/otlp-random.ts";
import { encodeUsageEntry } from "../ingest/usage-codec.ts";
import { PriceBook } from "../pricing/price-book.ts";
import { sampleRecords } from "../store/sample-records.ts";
import type { Store } from "../store/store.ts";
import { openResolvers, openWriters } from "./parts.ts";

const data = mkdtempSync(join(tmpdir(), "burnwatch-parts-"));
afterAll(() => rmSync(data, { recursive: true, force: true }));
const config = readConfig(undefined, {
  BURNWATCH_DATA: data,
  BURNWATCH_KAFKA_BROKERS: "127.0.0.1:1",
  BURNWATCH_KAFKA_PARTITIONS: "1",
  BURNWATCH_KAFKA_REPLICAS: "1",
  BURNWATCH_CLICKHOUSE_URL: "http://127.0.0.1:1",
});
const topics = topicsOf({ prefix: config.kafkaPrefix });

/** A client that cannot read a topic, and how many owners of partitions it has open. */
async function brokenClient(unreadable: string) {
  const simulated = new SimulatedKafka(seededRandom(5)).client();
  await createKafkaTopics(simulated, { prefix: config.kafkaPrefix, partitions: 1, replicas: 1 }, { horizonMs: 1000 });
  const opened: KafkaTransactions[] = [];
  const open = new Set<KafkaTransactions>();
  const client: KafkaClient = {
    ...simulated,
    async transactions(id) {
      const transactions = await simulated.transactions(id);
      const closing: KafkaTransactions = {
        commit: (messages, commit) => transactions.commit(messages, commit),
        async close() {
          open.delete(closing);
          await transactions.close();
        },
      };
      opened.push(closing);
      open.add(closing);
      return closing;
    },
    reader: (topic, partition) =>
      topic === unreadable ? Promise.reject(new Error("no reader today")) : simulated.reader(topic, partition),
  };
  return { client, opened, open };
}

const part = (client: KafkaClient) => ({
  config,
  log: pino({ level: "silent" }),
  client,
  metrics: createMetrics(null),
  store: { queryShards: () => Promise.reject(new Error("no table today")) } as Partial<Store> as Store,
});

it("closes what a resolver has opened when its spans cannot be read, each time it tries", {
  timeout: 20_000,
}, async () => {
  const { client, opened, open } = await brokenClient(topics.spans);
  const resolvers = openResolvers({ ...part(client), prices: new PriceBook() });
  await resolvers.start();
  await expect.poll(() => opened.length, { timeout: 10_000 }).toBe(3);
  await resolvers.stop();
  expect(open.size).toBe(0);
});

it("opens no copy where the disk is fuller than it may be, and says so", { timeout: 20_000 }, async () => {
  const { client, opened } = await brokenClient("");
  const lines: string[] = [];
  const log = pino({ level: "error" }, { write: (line) => void lines.push(line) });
  const full = { ...config, diskFreeBytesMin: Number.MAX_SAFE_INTEGER };
  const resolvers = openResolvers({ ...part(client), config: full, log, prices: new PriceBook() });
  await resolvers.start();
  await expect.poll(() => lines.join(""), { timeout: 10_000 }).toContain("not enough space for what is remembered");
  await resolvers.stop();
  expect(opened).toEqual([]);
});

it("closes what a writer has opened when it cannot ask what is stored", { timeout: 20_000 }, async () => {
  const { client, opened, open } = await brokenClient("");
  const records = [...sampleRecords({ count: 1, seed: 4, startMs: 0, spanMs: 1000 })];
  const producer = await client.producer();
  await producer.send([{ topic: topics.usage, partition: 0, value: encodeUsageEntry({ arrivedAtMs: 0, records }) }]);
  const writers = openWriters(part(client));
  await writers.start();
  await expect.poll(() => opened.length, { timeout: 10_000 }).toBe(3);
  await writers.stop();
  expect(open.size).toBe(0);
});
