/**
 * Appends with kafkajs, each partition by itself. Of a request of several partitions the library keeps answers by broker:
 * when a leader moves in between, a partition that goes to a broker that has answered already is never sent, and reported
 * as appended; one that leaves such a broker is appended twice, under new sequence numbers. Of one partition there is one
 * answer.
 */

import type { CompressionTypes, ProducerBatch, RecordMetadata } from "kafkajs";
import type { KafkaMessage } from "./kafka-client.ts";

type SendBatch = (batch: ProducerBatch) => Promise<RecordMetadata[]>;

/**
 * Resolves when every in-sync copy has all of them, and rejects once each partition was tried.
 * @returns the messages' offsets; those of one partition stand together, in their order.
 */
export async function sendEach(
  sendBatch: SendBatch,
  compression: CompressionTypes,
  messages: readonly KafkaMessage[],
): Promise<readonly number[]> {
  const byPartition = Map.groupBy(messages, placeOf);
  const next = new Map<string, number>();
  const sent = await Promise.allSettled(
    Array.from(byPartition, async ([place, of]) => {
      next.set(place, await sendTo(sendBatch, compression, of));
    }),
  );
  for (const one of sent) if (one.status === "rejected") throw one.reason;
  return messages.map((message) => {
    const place = placeOf(message);
    const offset = next.get(place) ?? 0;
    next.set(place, offset + 1);
    return offset;
  });
}

/** Messages of one partition. @returns the offset of the first one. */
async function sendTo(
  sendBatch: SendBatch,
  compression: CompressionTypes,
  messages: readonly KafkaMessage[],
): Promise<number> {
  const topic = messages[0]?.topic ?? "";
  const ofPartition = messages.map(({ partition, key, value }) => ({
    partition,
    key: key ?? null,
    // The same bytes, not a copy.
    value: Buffer.from(value.buffer, value.byteOffset, value.byteLength),
  }));
  const [sent] = await sendBatch({
    acks: -1,
    compression,
    topicMessages: [{ topic, messages: ofPartition }],
  });
  if (sent?.baseOffset === undefined) throw new Error(`the broker did not say where it put messages of ${topic}`);
  return Number(sent.baseOffset);
}

function placeOf({ topic, partition }: KafkaMessage): string {
  return `${topic} ${partition}`;
}
