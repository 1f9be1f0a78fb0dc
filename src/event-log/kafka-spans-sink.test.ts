import { expect, it } from "vitest";
import type { KafkaClient, KafkaMessage } from "./kafka-client.ts";
import { KafkaSpansSink } from "./kafka-spans-sink.ts";

it("sends what is appended as soon as the entry before it was acknowledged", async () => {
  const sent: KafkaMessage[] = [];
  const producer = {
    send: async (messages: readonly KafkaMessage[]) => void sent.push(...messages),
    close: async () => undefined,
  };
  const client = { producer: async () => producer } as unknown as KafkaClient;
  const sink = new KafkaSpansSink(client, "spans");
  for (const text of ["a", "b", "c"]) await sink.append([{ partition: 0, payload: Buffer.from(text) }]);
  expect(sent.map(({ value }) => Buffer.from(value).toString())).toEqual(["a", "b", "c"]);
  await sink.close();
});
