/** Transactions with kafkajs. */

import type { CompressionTypes, Producer, Transaction } from "kafkajs";
import type { KafkaMessage, KafkaTransactions, PartitionCommit } from "./kafka-client.ts";
import { appendRight, kafkaError, untilPassed } from "./kafkajs-errors.ts";
import { sendEach } from "./kafkajs-sends.ts";

export class KafkajsTransactions implements KafkaTransactions {
  readonly #producer: Producer;
  readonly #id: string;
  readonly #compression: CompressionTypes;
  /** Begun ahead: the first one takes the id over. */
  #next: Transaction;

  private constructor(producer: Producer, id: string, compression: CompressionTypes, first: Transaction) {
    this.#producer = producer;
    this.#id = id;
    this.#compression = compression;
    this.#next = first;
  }

  static async open(producer: Producer, id: string, compression: CompressionTypes): Promise<KafkajsTransactions> {
    try {
      await producer.connect();
      return new KafkajsTransactions(producer, id, compression, await producer.transaction());
    } catch (error) {
      await producer.disconnect().catch(() => undefined);
      throw kafkaError(error, `take over transactional id ${id}`, {
        transactionalId: `Write on transactional id ${id}`,
        cluster: appendRight,
      });
    }
  }

  async commit(messages: readonly KafkaMessage[], commit: PartitionCommit): Promise<readonly number[]> {
    try {
      const transaction = this.#next;
      const offsets =
        messages.length === 0
          ? []
          : await sendEach((batch) => untilPassed(() => transaction.sendBatch(batch)), this.#compression, messages);
      const { group, topic, partition, offset, metadata } = commit;
      const partitions = [{ partition, offset: String(offset), metadata }];
      await untilPassed(() => transaction.sendOffsets({ consumerGroupId: group, topics: [{ topic, partitions }] }));
      await transaction.commit();
      this.#next = await this.#producer.transaction();
      return offsets;
    } catch (error) {
      const topics = [...new Set(messages.map(({ topic }) => topic))].join(", ");
      throw kafkaError(error, `commit as ${this.#id}`, {
        topic: `Write on topics ${topics} and Read on topic ${commit.topic}`,
        group: `Read on group ${commit.group}`,
        transactionalId: `Write on transactional id ${this.#id}`,
      });
    }
  }

  async close(): Promise<void> {
    await this.#producer.disconnect();
  }
}
