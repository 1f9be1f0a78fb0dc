import { expect, it } from "vitest";
import { SimulatedKafka } from "../../test/simulation/kafka.ts";
import { seededRandom } from "../ingest/otlp-random.ts";
import { groupLag } from "./group-lag.ts";

it("asks the brokers three questions, however many partitions nobody has begun", async () => {
  const kafka = new SimulatedKafka(seededRandom(1));
  const client = kafka.client();
  await client.createTopics([{ topic: "t", partitions: 64, replicas: 1, settings: {} }]);
  const producer = await client.producer();
  await producer.send([3, 3, 9].map((partition) => ({ topic: "t", partition, value: Buffer.from("a") })));
  const asked: string[] = [];
  kafka.passing = (_, what) => void asked.push(what);
  const lags = await groupLag(client, "g", "t");
  expect(lags).toHaveLength(64);
  expect(lags.filter(({ records }) => records > 0)).toEqual([
    { partition: 3, offset: null, endOffset: 2, records: 2 },
    { partition: 9, offset: null, endOffset: 1, records: 1 },
  ]);
  // Each is told of twice: as it arrives, and as it is answered.
  expect(asked).toHaveLength(6);
});
