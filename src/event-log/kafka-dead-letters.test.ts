import { expect, it } from "vitest";
import { SimulatedKafka } from "../../test/simulation/kafka.ts";
import { seededRandom } from "../ingest/otlp-random.ts";
import { deadLetterMessages } from "./dead-letter.ts";
import { KafkaDeadLetters } from "./kafka-dead-letters.ts";
import { topicsOf } from "./kafka-topics.ts";

it("puts a letter back that is older than those a list tells of", async () => {
  const client = new SimulatedKafka(seededRandom(1)).client();
  const topics = topicsOf({ prefix: "p" });
  for (const topic of [topics.deadLetters, topics.spans])
    await client.createTopics([{ topic, partitions: 1, replicas: 1, settings: {} }]);
  const parked = Array.from({ length: 10_050 }, (_, index) => ({
    offset: index + 1,
    payload: Buffer.from(`entry ${index}`),
    reason: "torn",
    parkedAtMs: 1,
  }));
  const producer = await client.producer();
  await producer.send(deadLetterMessages(topics.deadLetters, { topic: topics.spans, partition: 0 }, parked));
  const letters = new KafkaDeadLetters({ client, prefix: "p", topics, now: () => 2 });
  expect(await letters.list()).toHaveLength(10_000);
  expect((await letters.replay([3, 10_049], ({ payload }) => payload)).done).toEqual([3, 10_049]);
  expect((await letters.replay([3, 10_049], ({ payload }) => payload)).done).toEqual([]);
  const reader = await client.reader(topics.spans, 0);
  const { records } = await reader.fetch({ offset: 0, bytesMax: 1000, waitMs: 0 });
  expect(records.map(({ value }) => Buffer.from(value).toString())).toEqual(["entry 3", "entry 10049"]);
});
