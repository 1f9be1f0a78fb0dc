/** A partition read with kafkajs. */

import type { Fetched, KafkaReader } from "./kafka-client.ts";
import { committedOf, type FetchedMessage } from "./kafkajs-committed.ts";
import { kafkaError } from "./kafkajs-errors.ts";
import { type Cluster, readCommitted } from "./kafkajs-internals.ts";

export class KafkajsReader implements KafkaReader {
  readonly #cluster: Cluster;
  readonly #topic: string;
  readonly #partition: number;
  #closed = false;

  /** @param cluster connected, and this reader's own. */
  constructor(cluster: Cluster, topic: string, partition: number) {
    this.#cluster = cluster;
    this.#topic = topic;
    this.#partition = partition;
  }

  async fetch(from: { readonly offset: number; readonly bytesMax: number; readonly waitMs: number }): Promise<Fetched> {
    try {
      return await this.#fetch(from);
    } catch (error) {
      // The next question goes to whoever leads by then.
      if (!this.#closed) await this.#reconnect().catch(() => undefined);
      throw kafkaError(error, `read ${this.#topic}/${this.#partition} at ${from.offset}`, {
        topic: `Read on topic ${this.#topic}`,
      });
    }
  }

  async #fetch({ offset, bytesMax, waitMs }: { offset: number; bytesMax: number; waitMs: number }): Promise<Fetched> {
    const [topic, partition, fetchOffset] = [this.#topic, this.#partition, String(offset)];
    await this.#cluster.refreshMetadataIfNecessary();
    const [nodeId] = Object.keys(this.#cluster.findLeaderForPartitions(topic, [partition]));
    if (nodeId === undefined) throw new Error(`there is no partition ${partition} of ${topic}`);
    const broker = await this.#cluster.findBroker({ nodeId });
    const { responses } = await broker.fetch({
      isolationLevel: readCommitted,
      maxWaitTime: waitMs,
      maxBytes: bytesMax,
      topics: [{ topic, partitions: [{ partition, fetchOffset, maxBytes: bytesMax }] }],
    });
    const data = responses[0]?.partitions[0];
    if (data === undefined) throw new Error("the broker's answer is empty");
    // A batch is given whole: what lies before the offset in it was not asked for.
    const messages = data.messages.filter(({ offset: at }) => Number(at) >= offset);
    return {
      records: committedOf(messages, data.abortedTransactions).flatMap(({ offset: at, value }) =>
        value === null ? [] : [{ offset: Number(at), value }],
      ),
      nextOffset: Math.max(offset, behind(data.messages)),
      endOffset: Number(data.lastStableOffset),
    };
  }

  async #reconnect(): Promise<void> {
    await this.#cluster.connect();
    // Whoever closed it meanwhile found nothing to close.
    if (this.#closed) await this.#cluster.disconnect();
    else await this.#cluster.refreshMetadata();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#cluster.disconnect();
  }
}

/** Behind the place of the last batch: compaction may have taken its last records out, or all of them. */
function behind(messages: readonly FetchedMessage[]): number {
  const last = messages.at(-1)?.batchContext;
  return last === undefined ? 0 : Number(last.firstOffset) + last.lastOffsetDelta + 1;
}
