/** The Kafka client by kafkajs. */

import kafkajs, { type Admin, type Kafka } from "kafkajs";
import type {
  Commit,
  KafkaAddress,
  KafkaClient,
  KafkaMembership,
  KafkaProducer,
  KafkaReader,
  KafkaTransactions,
  TopicSpec,
} from "./kafka-client.ts";
import { type KafkajsConfig, kafkajsConfig } from "./kafkajs-config.ts";
import { kafkaError, protocolError, untilLed, untilPassed } from "./kafkajs-errors.ts";
import { openCluster } from "./kafkajs-internals.ts";
import { joinGroup } from "./kafkajs-membership.ts";
import { KafkajsReader } from "./kafkajs-reader.ts";
import { sendEach } from "./kafkajs-sends.ts";
import { KafkajsTransactions } from "./kafkajs-transactions.ts";
import { takeTurn } from "./kafkajs-turn.ts";
import { useZstd } from "./kafkajs-zstd.ts";

/** A transaction that its owner does not end is undone after this long; readers wait for it. */
const transactionTimeoutMs = 30_000;

useZstd();

/** What batches are compressed with; whatever they are, they can be read. */
export type KafkaCodec = "zstd" | "gzip" | "none";

const compressions = {
  zstd: kafkajs.CompressionTypes.ZSTD,
  gzip: kafkajs.CompressionTypes.GZIP,
  none: kafkajs.CompressionTypes.None,
} as const satisfies Record<KafkaCodec, kafkajs.CompressionTypes>;

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
    return this.#ask("create topics", async (admin) => {
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
    return this.#ask(`look at topic ${topic}`, async (admin) => {
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
      throw kafkaError(error, "connect");
    });
    return {
      send: async (messages) => {
        await sendEach((batch) => producer.sendBatch(batch), this.#compression, messages).catch((error: unknown) => {
          throw kafkaError(error, "append");
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
      throw kafkaError(error, `read ${topic}/${partition}`);
    }
  }

  async startOffset(topic: string, partition: number, sinceMs?: number): Promise<number> {
    const found =
      sinceMs === undefined
        ? (await this.#offsets(topic, { fromBeginning: true })).get(partition)
        : await this.#offsetSince(topic, partition, sinceMs);
    if (found === undefined) throw new Error(`there is no partition ${partition} of ${topic}`);
    return found;
  }

  #offsetSince(topic: string, partition: number, sinceMs: number): Promise<number | undefined> {
    return this.#ask(`find the start of ${topic}/${partition}`, async (admin) => {
      const of = await admin.fetchTopicOffsetsByTimestamp(topic, Math.max(0, Math.floor(sinceMs)));
      const found = of.find((one) => one.partition === partition);
      return found === undefined ? undefined : Number(found.offset);
    });
  }

  endOffsets(topic: string): Promise<ReadonlyMap<number, number>> {
    return this.#offsets(topic, { fromBeginning: false });
  }

  /** The library's admin does not wait for the leaders of a topic that was just made. */
  async #offsets(
    topic: string,
    { fromBeginning }: { readonly fromBeginning: boolean },
  ): Promise<ReadonlyMap<number, number>> {
    const count = await this.partitions(topic);
    const cluster = openCluster(this.#config);
    try {
      await cluster.connect();
      await cluster.addTargetTopic(topic);
      const partitions = Array.from({ length: count }, (_, partition) => ({ partition }));
      const offsets = () => cluster.fetchTopicsOffset([{ topic, partitions, fromBeginning }]);
      const [found] = await untilLed(cluster, offsets);
      return new Map(found?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
    } catch (error) {
      throw kafkaError(error, `find the ${fromBeginning ? "start" : "end"} of ${topic}`);
    } finally {
      await cluster.disconnect();
    }
  }

  committed(group: string, topic: string): Promise<ReadonlyMap<number, Commit>> {
    return this.#ask(`ask how far ${group} is`, async (admin) => {
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

  join(group: string, topic: string, assigned: (partitions: readonly number[]) => void): Promise<KafkaMembership> {
    return joinGroup(this.#kafka, group, topic, assigned);
  }

  turn(group: string, topic: string): Promise<KafkaMembership> {
    return takeTurn(this.#kafka, group, topic);
  }

  clusterId(): Promise<string> {
    return this.#ask("ask which cluster this is", async (admin) => (await admin.describeCluster()).clusterId);
  }

  async close(): Promise<void> {
    const admin = this.#admin;
    this.#admin = undefined;
    await admin?.then((open) => open.disconnect()).catch(() => undefined);
  }

  async #ask<Answer>(what: string, question: (admin: Admin) => Promise<Answer>): Promise<Answer> {
    try {
      const admin = await this.#connectedAdmin();
      return await untilPassed(() => question(admin));
    } catch (error) {
      throw error instanceof Error && !error.name.startsWith("KafkaJS") ? error : kafkaError(error, what);
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
