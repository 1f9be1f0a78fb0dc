/**
 * The Kafka client by `@platformatic/kafka`, on trial: it keeps the contract of the suites, and not yet that of the chaos
 * campaign.
 */

import { randomUUID } from "node:crypto";
import {
  Admin,
  Consumer,
  FetchIsolationLevels,
  findErrorBy,
  ListOffsetTimestamps,
  ProduceAcks,
  Producer,
} from "@platformatic/kafka";
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
} from "../../src/event-log/kafka-client.ts";
import { kafkaError, protocolError } from "./platformatic-errors.ts";
import { PlatformaticReader } from "./platformatic-reader.ts";
import { PlatformaticTransactions } from "./platformatic-transactions.ts";

const [sessionTimeout, heartbeatInterval, rebalanceTimeout] = [10_000, 1000, 20_000];
/**
 * From what a transaction takes to end, to longer than a leader takes to move; what asks waits meanwhile, and others try
 * again.
 */
const retry = {
  retries: 15,
  retryDelay: (_: object, __: string, attempt: number) => Math.min(3 * 2 ** attempt, 1000),
};

/** Connects to nothing before it is asked for something. */
export function platformaticClient({ brokers, clientId }: KafkaAddress): KafkaClient {
  return new PlatformaticClient({ bootstrapBrokers: [...brokers], clientId, ...retry });
}

type Options = { readonly bootstrapBrokers: string[]; readonly clientId: string } & typeof retry;

class PlatformaticClient implements KafkaClient {
  readonly #options: Options;
  readonly #admin: Admin;
  /** For questions about offsets: it joins no group. */
  readonly #consumer: Consumer;

  constructor(options: Options) {
    this.#options = options;
    this.#admin = new Admin(options);
    this.#consumer = this.#newConsumer(`none-${randomUUID()}`);
  }

  async createTopics(topics: readonly TopicSpec[]): Promise<void> {
    const known = new Set(await asked("list topics", this.#admin.listTopics()));
    for (const { topic, partitions, replicas, settings } of topics) {
      if (!known.has(topic)) {
        const configs = Object.entries(settings).map(([name, value]) => ({ name, value }));
        await this.#admin.createTopics({ topics: [topic], partitions, replicas, configs }).catch((error: unknown) => {
          // Another process may be faster: then it is there.
          if (protocolError(error) !== "TOPIC_ALREADY_EXISTS") throw kafkaError(error, `create topic ${topic}`);
        });
      }
      const found = await this.#untilThere(topic);
      if (found !== partitions)
        throw new Error(
          `topic ${topic} has ${found} partitions and ${partitions} are configured: set kafka.partitions to ${found}, or choose another kafka.prefix`,
        );
    }
  }

  async #untilThere(topic: string): Promise<number> {
    for (let tries = 0; ; tries++) {
      const found = await this.partitions(topic);
      if (found > 0 || tries > 100) return found;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async partitions(topic: string): Promise<number> {
    try {
      const { topics } = await this.#admin.metadata({ topics: [topic], forceUpdate: true, retries: 0 });
      return topics.get(topic)?.partitionsCount ?? 0;
    } catch (error) {
      // It says this of a topic that it does not find, and does not say it by the protocol's name.
      if (findErrorBy(error as Error, "code", "PLT_KFK_USER") !== null) return 0;
      throw kafkaError(error, `look at topic ${topic}`);
    }
  }

  async producer(): Promise<KafkaProducer> {
    const producer = new Producer({ ...this.#options, idempotent: true, acks: ProduceAcks.ALL, compression: "zstd" });
    return {
      send: async (messages) => {
        const sent = messages.map(({ topic, partition, value }) => ({ topic, partition, value: Buffer.from(value) }));
        await asked("append", producer.send({ messages: sent }));
      },
      close: () => producer.close(),
    };
  }

  transactions(transactionalId: string): Promise<KafkaTransactions> {
    return PlatformaticTransactions.open(this.#options, transactionalId);
  }

  async reader(topic: string, partition: number): Promise<KafkaReader> {
    return new PlatformaticReader(this.#newConsumer(`none-${randomUUID()}`), topic, partition);
  }

  async startOffset(topic: string, partition: number, sinceMs?: number): Promise<number> {
    const timestamp = sinceMs === undefined ? ListOffsetTimestamps.EARLIEST : BigInt(Math.max(0, Math.floor(sinceMs)));
    const options = { topics: [topic], partitions: { [topic]: [partition] }, timestamp };
    const found = await asked(`find the start of ${topic}/${partition}`, this.#consumer.listOffsets(options));
    const offset = Number(found.get(topic)?.[partition] ?? -1n);
    return offset >= 0 ? offset : ((await this.endOffsets(topic)).get(partition) ?? 0);
  }

  startOffsets(topic: string): Promise<ReadonlyMap<number, number>> {
    return this.#offsets(topic, ListOffsetTimestamps.EARLIEST);
  }

  endOffsets(topic: string): Promise<ReadonlyMap<number, number>> {
    return this.#offsets(topic, ListOffsetTimestamps.LATEST);
  }

  highWatermarks(topic: string): Promise<ReadonlyMap<number, number>> {
    return this.#offsets(topic, ListOffsetTimestamps.LATEST, FetchIsolationLevels.READ_UNCOMMITTED);
  }

  async #offsets(
    topic: string,
    timestamp: bigint,
    isolationLevel: number = FetchIsolationLevels.READ_COMMITTED,
  ): Promise<ReadonlyMap<number, number>> {
    const options = { topics: [topic], timestamp, isolationLevel };
    const found = await asked(`find places in ${topic}`, this.#consumer.listOffsets(options));
    return new Map((found.get(topic) ?? []).map((offset, partition) => [partition, Number(offset)]));
  }

  async committed(group: string, topic: string): Promise<ReadonlyMap<number, Commit>> {
    const partitionIndexes = Array.from({ length: await this.partitions(topic) }, (_, partition) => partition);
    const groups = [{ groupId: group, topics: [{ name: topic, partitionIndexes }] }];
    const [found] = await asked(
      `ask how far ${group} is`,
      this.#admin.listConsumerGroupOffsets({ groups, requireStable: true }),
    );
    const partitions = found?.topics.find(({ name }) => name === topic)?.partitions ?? [];
    return new Map(
      partitions
        .filter(({ committedOffset }) => committedOffset >= 0n)
        .map(({ partitionIndex, committedOffset, metadata }) => [
          partitionIndex,
          { offset: Number(committedOffset), metadata: metadata ?? "" },
        ]),
    );
  }

  async join(group: string, topic: string, { assigned }: GroupMember): Promise<KafkaMembership> {
    const consumer = this.#newConsumer(group);
    consumer.topics.track(topic);
    consumer.on("consumer:group:join", ({ assignments }) =>
      assigned(assignments?.find((one) => one.topic === topic)?.partitions ?? []),
    );
    await asked(`join group ${group}`, consumer.joinGroup({ sessionTimeout, heartbeatInterval, rebalanceTimeout }));
    return {
      leave: async () => {
        await consumer.leaveGroup();
        await consumer.close();
      },
    };
  }

  /** Its assigner may deal the turn to a newcomer: good enough for a trial with one writer at the start. */
  async turn(group: string, topic: string): Promise<KafkaMembership> {
    const turn = Promise.withResolvers<void>();
    const membership = await this.join(group, topic, {
      assigned: (partitions) => partitions.includes(0) && turn.resolve(),
    });
    await turn.promise;
    return membership;
  }

  async clusterId(): Promise<string> {
    return (await asked("ask which cluster this is", this.#admin.metadata({ topics: [] }))).id;
  }

  async close(): Promise<void> {
    await Promise.all([this.#admin.close(), this.#consumer.close()]);
  }

  #newConsumer(groupId: string): Consumer {
    return new Consumer({ ...this.#options, groupId, autocommit: false });
  }
}

async function asked<Answer>(doing: string, question: Promise<Answer>): Promise<Answer> {
  try {
    return await question;
  } catch (error) {
    throw kafkaError(error, doing);
  }
}
