/** The Kafka client by kafkajs. */

import kafkajs, { type Admin, type Kafka } from "kafkajs";
import type {
  Commit,
  GroupMember,
  KafkaAddress,
  KafkaClient,
  KafkaMembership,
  KafkaProducer,
  KafkaReader,
  KafkaTransactions,
  TopicSpec,
} from "./kafka-client.ts";
import { type KafkajsConfig, kafkajsConfig } from "./kafkajs-config.ts";
import { appendRight, kafkaError, protocolError, type Rights, untilLed, untilPassed } from "./kafkajs-errors.ts";
import { openCluster, readUncommitted } from "./kafkajs-internals.ts";
import { joinGroup } from "./kafkajs-membership.ts";
import { KafkajsReader } from "./kafkajs-reader.ts";
import { useRecordBatch } from "./kafkajs-record-batch.ts";
import { sendEach } from "./kafkajs-sends.ts";
import { KafkajsTransactions } from "./kafkajs-transactions.ts";
import { takeTurn } from "./kafkajs-turn.ts";
import { useZstd } from "./kafkajs-zstd.ts";

/** A transaction that its owner does not end is undone after this long; readers wait for it. */
const transactionTimeoutMs = 30_000;

useZstd();
useRecordBatch();

/** What batches are compressed with; whatever they are, they can be read. */
export type KafkaCodec = "zstd" | "gzip" | "none";

const compressions = {
  zstd: kafkajs.CompressionTypes.ZSTD,
  gzip: kafkajs.CompressionTypes.GZIP,
  none: kafkajs.CompressionTypes.None,
} as const satisfies Record<KafkaCodec, kafkajs.CompressionTypes>;

interface OffsetsQuestion {
  /** To follow "cannot". */
  readonly what: string;
  readonly topic: string;
  readonly partitions: readonly number[];
  /** A time in Unix milliseconds: of the first record since then, -1 where there is none. */
  readonly from: { readonly fromBeginning: boolean } | { readonly fromTimestamp: number };
  /** By default what is committed. */
  readonly isolation?: number;
}

/** Connects to nothing before it is asked for something. */
export function kafkajsClient(address: KafkaAddress, codec: KafkaCodec = "zstd"): KafkaClient {
  return new KafkajsClient(kafkajsConfig(address), compressions[codec]);
}

class KafkajsClient implements KafkaClient {
  readonly #config: KafkajsConfig;
  readonly #compression: kafkajs.CompressionTypes;
  readonly #kafka: Kafka;
  #admin: Promise<Admin> | undefined;

  constructor(config: KafkajsConfig, compression: kafkajs.CompressionTypes) {
    this.#config = config;
    this.#compression = compression;
    this.#kafka = new kafkajs.Kafka(config);
  }

  createTopics(topics: readonly TopicSpec[]): Promise<void> {
    const asked = topics.map(({ topic }) => topic).join(", ");
    const right = `Create and Describe on topics ${asked}, or let somebody make them who may`;
    return this.#ask("create topics", { topic: right, cluster: right }, async (admin) => {
      const known = new Set(await admin.listTopics());
      const missing = topics.filter(({ topic }) => !known.has(topic));
      if (missing.length > 0) {
        const specs = missing.map(({ topic, partitions, replicas, settings }) => ({
          topic,
          numPartitions: partitions,
          replicationFactor: replicas,
          configEntries: Object.entries(settings).map(([name, value]) => ({ name, value })),
        }));
        // Another process may be faster: then they are there.
        await admin.createTopics({ topics: specs, waitForLeaders: true });
      }
      for (const { topic, partitions } of topics) await this.#checkPartitions(topic, partitions);
    });
  }

  async #checkPartitions(topic: string, expected: number): Promise<void> {
    const found = await this.partitions(topic);
    if (found === expected) return;
    throw new Error(
      `topic ${topic} has ${found} partitions and ${expected} are configured: set kafka.partitions to ${found}, or choose another kafka.prefix`,
    );
  }

  partitions(topic: string): Promise<number> {
    return this.#ask(`look at topic ${topic}`, { topic: `Describe on topic ${topic}` }, async (admin) => {
      try {
        const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
        return topics[0]?.partitions.length ?? 0;
      } catch (error) {
        if (protocolError(error) === "UNKNOWN_TOPIC_OR_PARTITION") return 0;
        throw error;
      }
    });
  }

  async producer(): Promise<KafkaProducer> {
    const options = { idempotent: true, maxInFlightRequests: 1, allowAutoTopicCreation: false, createPartitioner };
    const producer = this.#kafka.producer(options);
    await producer.connect().catch((error: unknown) => {
      throw kafkaError(error, "connect", { cluster: appendRight });
    });
    return {
      send: async (messages) => {
        await sendEach((batch) => producer.sendBatch(batch), this.#compression, messages).catch((error: unknown) => {
          const names = [...new Set(messages.map(({ topic }) => topic))].join(" and ");
          const right = `Write on topic ${names}`;
          throw kafkaError(error, `append to ${names}`, { topic: right, cluster: right });
        });
      },
      close: () => producer.disconnect(),
    };
  }

  transactions(transactionalId: string): Promise<KafkaTransactions> {
    const producer = this.#kafka.producer({
      transactionalId,
      transactionTimeout: transactionTimeoutMs,
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner,
    });
    return KafkajsTransactions.open(producer, transactionalId, this.#compression);
  }

  async reader(topic: string, partition: number): Promise<KafkaReader> {
    const cluster = openCluster(this.#config);
    try {
      await cluster.connect();
      await cluster.addTargetTopic(topic);
      return new KafkajsReader(cluster, topic, partition);
    } catch (error) {
      await cluster.disconnect().catch(() => undefined);
      throw kafkaError(error, `read ${topic}/${partition}`, { topic: `Read on topic ${topic}` });
    }
  }

  async startOffset(topic: string, partition: number, sinceMs?: number): Promise<number> {
    const place = await this.#offsets({
      what: `find the start of ${topic}/${partition}`,
      topic,
      partitions: [partition],
      from: sinceMs === undefined ? { fromBeginning: true } : { fromTimestamp: Math.max(0, Math.floor(sinceMs)) },
    });
    const offset = place.get(partition);
    if (offset === undefined) throw new Error(`there is no partition ${partition} of ${topic}`);
    // Of a time: there is nothing since then.
    return offset >= 0 ? offset : await this.#endOffset(topic, partition);
  }

  async startOffsets(topic: string): Promise<ReadonlyMap<number, number>> {
    const partitions = await this.#partitionsOf(topic);
    return this.#offsets({ what: `find the start of ${topic}`, topic, partitions, from: { fromBeginning: true } });
  }

  async endOffsets(topic: string): Promise<ReadonlyMap<number, number>> {
    const partitions = await this.#partitionsOf(topic);
    return this.#offsets({ what: `find the end of ${topic}`, topic, partitions, from: { fromBeginning: false } });
  }

  async highWatermarks(topic: string): Promise<ReadonlyMap<number, number>> {
    const partitions = await this.#partitionsOf(topic);
    const from = { fromBeginning: false };
    return this.#offsets({ what: `find the end of ${topic}`, topic, partitions, from, isolation: readUncommitted });
  }

  async #endOffset(topic: string, partition: number): Promise<number> {
    const what = `find the end of ${topic}/${partition}`;
    const ends = await this.#offsets({ what, topic, partitions: [partition], from: { fromBeginning: false } });
    return ends.get(partition) ?? 0;
  }

  async #partitionsOf(topic: string): Promise<readonly number[]> {
    return Array.from({ length: await this.partitions(topic) }, (_, partition) => partition);
  }

  /** Asks those who lead the partitions: as many requests as there are of them. */
  async #offsets(question: OffsetsQuestion): Promise<ReadonlyMap<number, number>> {
    const { what, topic, partitions, from, isolation } = question;
    if (partitions.length === 0) return new Map();
    const cluster = openCluster(this.#config, isolation);
    try {
      await cluster.connect();
      await cluster.addTargetTopic(topic);
      const asked = partitions.map((partition) => ({ partition }));
      const [found] = await untilLed(cluster, () => cluster.fetchTopicsOffset([{ topic, partitions: asked, ...from }]));
      return new Map(found?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
    } catch (error) {
      throw kafkaError(error, what, { topic: `Describe on topic ${topic}` });
    } finally {
      await cluster.disconnect();
    }
  }

  committed(group: string, topic: string): Promise<ReadonlyMap<number, Commit>> {
    const rights = { topic: `Describe on topic ${topic}`, group: `Describe on group ${group}` };
    return this.#ask(`ask how far ${group} is`, rights, async (admin) => {
      const [found] = await admin.fetchOffsets({ groupId: group, topics: [topic] });
      const partitions = found?.partitions.filter(({ offset }) => Number(offset) >= 0) ?? [];
      return new Map(
        partitions.map(({ partition, offset, metadata }) => [
          partition,
          { offset: Number(offset), metadata: metadata ?? "" },
        ]),
      );
    });
  }

  join(group: string, topic: string, member: GroupMember): Promise<KafkaMembership> {
    return joinGroup(this.#kafka, group, topic, member);
  }

  turn(group: string, topic: string): Promise<KafkaMembership> {
    return takeTurn(this.#kafka, group, topic);
  }

  clusterId(): Promise<string> {
    return this.#ask(
      "ask which cluster this is",
      { cluster: "Describe on the cluster" },
      async (admin) => (await admin.describeCluster()).clusterId,
    );
  }

  async close(): Promise<void> {
    const admin = this.#admin;
    this.#admin = undefined;
    await admin?.then((open) => open.disconnect()).catch(() => undefined);
  }

  async #ask<Answer>(what: string, rights: Rights, question: (admin: Admin) => Promise<Answer>): Promise<Answer> {
    try {
      const admin = await this.#connectedAdmin();
      return await untilPassed(() => question(admin));
    } catch (error) {
      throw error instanceof Error && !error.name.startsWith("KafkaJS") ? error : kafkaError(error, what, rights);
    }
  }

  #connectedAdmin(): Promise<Admin> {
    this.#admin ??= this.#connectAdmin();
    return this.#admin;
  }

  async #connectAdmin(): Promise<Admin> {
    const admin = this.#kafka.admin();
    try {
      await admin.connect();
      return admin;
    } catch (error) {
      this.#admin = undefined;
      throw error;
    }
  }
}

/** Every message names its partition. */
function createPartitioner() {
  return ({ message }: { readonly message: { readonly partition?: number } }): number => {
    if (message.partition === undefined) throw new Error("a message without a partition");
    return message.partition;
  };
}
