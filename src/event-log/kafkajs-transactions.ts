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

  async #send(transaction: Transaction, messages: readonly KafkaMessage[]): Promise<readonly number[]> {
    const byTopic = Map.groupBy(messages, ({ topic }) => topic);
    const sent = await untilPassed(() =>
      transaction.sendBatch({
        acks: -1,
        compression: kafkajs.CompressionTypes.ZSTD,
        topicMessages: Array.from(byTopic, ([topic, of]) => ({
          topic,
          messages: of.map(({ partition, key, value }) => ({
            partition,
            key: key ?? null,
            value: Buffer.from(value),
          })),
        })),
      }),
    );
    const next = new Map(
      sent.map(({ topicName, partition, baseOffset }) => [`${topicName} ${partition}`, Number(baseOffset)]),
    );
    // Messages of one partition have stood together, in their order.
    return messages.map(({ topic, partition }) => {
      const key = `${topic} ${partition}`;
      const offset = next.get(key);
      if (offset === undefined) throw new Error(`the broker did not say where it put messages of ${key}`);
      next.set(key, offset + 1);
      return offset;
    });
  }
}
