/** A partition read with `@platformatic/kafka`. */

import { type Consumer, FetchIsolationLevels } from "@platformatic/kafka";
import type { Fetched, KafkaReader, KafkaRecord } from "../../src/event-log/kafka-client.ts";
import { kafkaError } from "./platformatic-errors.ts";

/** The library does not export its name. */
type Answer = Awaited<ReturnType<Consumer["fetch"]>>["responses"][number]["partitions"][number];

const bit = { transactional: 16, control: 32 } as const;

export class PlatformaticReader implements KafkaReader {
  readonly #consumer: Consumer;
  readonly #topic: string;
  readonly #partition: number;

  /** @param consumer this reader's own, of no group. */
  constructor(consumer: Consumer, topic: string, partition: number) {
    this.#consumer = consumer;
    this.#topic = topic;
    this.#partition = partition;
  }

  async fetch(from: { readonly offset: number; readonly bytesMax: number; readonly waitMs: number }): Promise<Fetched> {
    try {
      return await this.#fetch(from);
    } catch (error) {
      // The next question goes to whoever leads by then.
      await this.#consumer.metadata({ topics: [this.#topic], forceUpdate: true }).catch(() => undefined);
      throw kafkaError(error, `read ${this.#topic}/${this.#partition} at ${from.offset}`);
    }
  }

  async #fetch({ offset, bytesMax, waitMs }: { offset: number; bytesMax: number; waitMs: number }): Promise<Fetched> {
    const { topics } = await this.#consumer.metadata({ topics: [this.#topic] });
    const topic = topics.get(this.#topic);
    const node = topic?.partitions[this.#partition]?.leader;
    if (topic === undefined || node === undefined)
      throw new Error(`there is no partition ${this.#partition} of ${this.#topic}`);
    const partition = {
      partition: this.#partition,
      currentLeaderEpoch: -1,
      fetchOffset: BigInt(offset),
      lastFetchedEpoch: -1,
      partitionMaxBytes: bytesMax,
    };
    const { responses } = await this.#consumer.fetch({
      node,
      topics: [{ topicId: topic.id, partitions: [partition] }],
      minBytes: 1,
      maxBytes: bytesMax,
      maxWaitTime: waitMs,
      isolationLevel: FetchIsolationLevels.READ_COMMITTED,
    });
    const data = responses[0]?.partitions[0];
    // It keeps a session with the broker, which leaves out partitions of which there is nothing new.
    if (data === undefined) return { records: [], nextOffset: offset, endOffset: offset };
    return fetchedOf(data, offset);
  }

  async close(): Promise<void> {
    await this.#consumer.close();
  }
}

/** Without markers, what was not committed, and what lies before the offset in a batch that holds it. */
function fetchedOf(data: Answer, offset: number): Fetched {
  const begun = (data.abortedTransactions ?? []).toSorted((a, b) => Number(a.firstOffset - b.firstOffset));
  const aborted = new Set<bigint>();
  const records: KafkaRecord[] = [];
  let nextOffset = offset;
  for (const batch of data.records ?? []) {
    const first = Number(batch.firstOffset);
    const last = first + batch.lastOffsetDelta;
    nextOffset = Math.max(nextOffset, last + 1);
    while (begun[0] !== undefined && Number(begun[0].firstOffset) <= last)
      aborted.add(begun.shift()?.producerId ?? -1n);
    if ((batch.attributes & bit.control) !== 0) aborted.delete(batch.producerId);
    else if ((batch.attributes & bit.transactional) === 0 || !aborted.has(batch.producerId))
      for (const { offsetDelta, value } of batch.records)
        if (value !== null && first + offsetDelta >= offset) records.push({ offset: first + offsetDelta, value });
  }
  return { records, nextOffset, endOffset: Number(data.lastStableOffset) };
}
