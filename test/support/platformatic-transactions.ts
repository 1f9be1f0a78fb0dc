/**
 * Transactions with `@platformatic/kafka`. Its own commit of offsets has no metadata and wants a member of the group, so
 * that request is sent as the protocol has it, on a connection to the group's coordinator.
 */

import {
  Admin,
  ConnectionPool,
  type Consumer,
  FindCoordinatorKeyTypes,
  ProduceAcks,
  Producer,
  txnOffsetCommitV4,
} from "@platformatic/kafka";
import type { KafkaMessage, KafkaTransactions, PartitionCommit } from "../../src/event-log/kafka-client.ts";
import { kafkaError, protocolError } from "./platformatic-errors.ts";

/** The library does not export its name. */
type Transaction = Awaited<ReturnType<Producer["beginTransaction"]>>;

interface Options {
  readonly bootstrapBrokers: string[];
  readonly clientId: string;
}

/** The coordinator is about to move, or loads: a matter of moments. */
const passing = new Set(["COORDINATOR_NOT_AVAILABLE", "COORDINATOR_LOAD_IN_PROGRESS", "NOT_COORDINATOR"]);
/** A transaction that its owner does not end is undone after this long; readers wait for it. */
const transactionTimeoutMs = 30_000;
const passingRetryMs = 10;
const passingMaxMs = 10_000;

export class PlatformaticTransactions implements KafkaTransactions {
  readonly #id: string;
  readonly #producer: Producer;
  readonly #admin: Admin;
  readonly #connections: ConnectionPool;
  /** Begun ahead: the first one takes the id over. */
  #next: Transaction;

  private constructor(options: Options, id: string, producer: Producer, first: Transaction) {
    this.#id = id;
    this.#producer = producer;
    this.#admin = new Admin(options);
    this.#connections = new ConnectionPool(options.clientId);
    this.#next = first;
  }

  static async open(options: Options, id: string): Promise<PlatformaticTransactions> {
    const producer = new Producer({
      ...options,
      idempotent: true,
      transactionalId: id,
      acks: ProduceAcks.ALL,
      compression: "zstd",
      // Left out it would claim to be producer 0, and be fenced wherever the id was used before.
      producerId: -1n,
      producerEpoch: -1,
      timeout: transactionTimeoutMs,
    });
    try {
      return new PlatformaticTransactions(options, id, producer, await producer.beginTransaction());
    } catch (error) {
      await producer.close().catch(() => undefined);
      throw kafkaError(error, `take over transactional id ${id}`);
    }
  }

  async commit(messages: readonly KafkaMessage[], commit: PartitionCommit): Promise<readonly number[]> {
    try {
      const transaction = this.#next;
      const offsets = messages.length === 0 ? [] : await send(transaction, messages);
      // Of a consumer only the name of its group is asked.
      await transaction.addConsumer({ groupId: commit.group } as Consumer);
      await this.#commitOffset(commit);
      await transaction.commit();
      this.#next = await this.#producer.beginTransaction();
      return offsets;
    } catch (error) {
      throw kafkaError(error, `commit as ${this.#id}`);
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#producer.close(), this.#admin.close(), this.#connections.close()]);
  }

  async #commitOffset({ group, topic, partition, offset, metadata }: PartitionCommit): Promise<void> {
    const [producerId, producerEpoch] = [this.#producer.producerId ?? -1n, this.#producer.producerEpoch ?? -1];
    const place = { partitionIndex: partition, committedOffset: BigInt(offset), committedLeaderEpoch: -1 };
    const topics = [{ name: topic, partitions: [{ ...place, committedMetadata: metadata }] }];
    const deadline = performance.now() + passingMaxMs;
    for (;;) {
      try {
        const [coordinator] = await this.#admin.findCoordinator({
          keyType: FindCoordinatorKeyTypes.GROUP,
          keys: [group],
        });
        if (coordinator === undefined) throw new Error(`group ${group} has no coordinator`);
        const connection = await this.#connections.get({ host: coordinator.host, port: coordinator.port });
        await txnOffsetCommitV4.api.async(connection, this.#id, group, producerId, producerEpoch, -1, "", null, topics);
        return;
      } catch (error) {
        if (!passing.has(protocolError(error)) || performance.now() > deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, passingRetryMs));
      }
    }
  }
}

async function send(transaction: Transaction, messages: readonly KafkaMessage[]): Promise<readonly number[]> {
  const sent = await transaction.send({
    messages: messages.map(({ topic, partition, key, value }) => ({
      topic,
      partition,
      ...(key === undefined ? {} : { key: Buffer.from(key) }),
      value: Buffer.from(value),
    })),
  });
  const next = new Map(sent.offsets?.map(({ topic, partition, offset }) => [`${topic} ${partition}`, Number(offset)]));
  // Messages of one partition have stood together, in their order.
  return messages.map(({ topic, partition }) => {
    const key = `${topic} ${partition}`;
    const offset = next.get(key);
    if (offset === undefined) throw new Error(`the broker did not say where it put messages of ${key}`);
    next.set(key, offset + 1);
    return offset;
  });
}
