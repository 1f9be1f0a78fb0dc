/** Transactions with kafkajs. */

import kafkajs, { type Producer, type Transaction } from "kafkajs";
import type { KafkaMessage, KafkaTransactions, PartitionCommit } from "./kafka-client.ts";
import { kafkaError, untilPassed } from "./kafkajs-errors.ts";

export class KafkajsTransactions implements KafkaTransactions {
  readonly #producer: Producer;
  readonly #id: string;
  /** Begun ahead: the first one takes the id over. */
  #next: Transaction;

  private constructor(producer: Producer, id: string, first: Transaction) {
    this.#producer = producer;
    this.#id = id;
    this.#next = first;
  }

  static async open(producer: Producer, id: string): Promise<KafkajsTransactions> {
    try {
      await producer.connect();
      return new KafkajsTransactions(producer, id, await producer.transaction());
    } catch (error) {
      await producer.disconnect().catch(() => undefined);
      throw kafkaError(error, `take over transactional id ${id}`);
    }
  }

  async commit(messages: readonly KafkaMessage[], commit: PartitionCommit): Promise<readonly number[]> {
    try {
      const transaction = this.#next;
      const offsets = messages.length === 0 ? [] : await this.#send(transaction, messages);
      const { group, topic, partition, offset, metadata } = commit;
      const partitions = [{ partition, offset: String(offset), metadata }];
      await untilPassed(() => transaction.sendOffsets({ consumerGroupId: group, topics: [{ topic, partitions }] }));
      await transaction.commit();
      this.#next = await this.#producer.transaction();
      return offsets;
    } catch (error) {
      throw kafkaError(error, `commit as ${this.#id}`);
    }
  }

  async close(): Promise<void> {
    await this.#producer.disconnect();
  }

  /**
   * Each partition in a request of its own. The library repeats a request of several by who leads them now: what one broker
   * has taken is sent to the next leader again, under new sequence numbers, and stands twice in one transaction.
   */
  async #send(transaction: Transaction, messages: readonly KafkaMessage[]): Promise<readonly number[]> {
    const byPartition = Map.groupBy(messages, placeOf);
    const next = new Map<string, number>();
    const sent = await Promise.allSettled(
      Array.from(byPartition, async ([place, of]) => {
        next.set(place, await this.#sendTo(transaction, of));
      }),
    );
    for (const one of sent) if (one.status === "rejected") throw one.reason;
    // Messages of one partition have stood together, in their order.
    return messages.map((message) => {
      const place = placeOf(message);
      const offset = next.get(place) ?? 0;
      next.set(place, offset + 1);
      return offset;
    });
  }

  /** @returns the offset of the first one. */
  async #sendTo(transaction: Transaction, messages: readonly KafkaMessage[]): Promise<number> {
    const topic = messages[0]?.topic ?? "";
    const [sent] = await untilPassed(() =>
      transaction.sendBatch({
        acks: -1,
        compression: kafkajs.CompressionTypes.ZSTD,
        topicMessages: [
          {
            topic,
            messages: messages.map(({ partition, key, value }) => ({
              partition,
              key: key ?? null,
              value: Buffer.from(value),
            })),
          },
        ],
      }),
    );
    if (sent?.baseOffset === undefined) throw new Error(`the broker did not say where it put messages of ${topic}`);
    return Number(sent.baseOffset);
  }
}

function placeOf({ topic, partition }: KafkaMessage): string {
  return `${topic} ${partition}`;
}
