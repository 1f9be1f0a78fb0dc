/** An operator's questions by kafkajs. */

import kafkajs, { type Admin, type Kafka, type ResourceConfigQuery } from "kafkajs";
import type { KafkaAddress } from "./kafka-client.ts";
import type { BrokerList, GroupState, KafkaOperator, TopicState } from "./kafka-operator.ts";
import { kafkajsConfig } from "./kafkajs-config.ts";
import { kafkaError, protocolError, type Rights } from "./kafkajs-errors.ts";
import { type Cluster, openCluster } from "./kafkajs-internals.ts";
import { logSizes } from "./kafkajs-log-sizes.ts";

const topicResource = 2;
const brokerResource = 4;
const endTransactionKey = 26;

const describeCluster = { cluster: "Describe on the cluster" };

/** Connects to nothing before it is asked for something. */
export function kafkajsOperator(address: KafkaAddress): KafkaOperator {
  const config = kafkajsConfig(address);
  const kafka = new kafkajs.Kafka(config);
  let connected: Promise<Admin> | undefined;
  async function ask<Answer>(
    what: string,
    rights: Rights,
    question: (admin: Admin) => Promise<Answer>,
  ): Promise<Answer> {
    connected ??= connect();
    try {
      return await question(await connected);
    } catch (error) {
      throw kafkaError(error, what, rights);
    }
  }
  async function connect(): Promise<Admin> {
    const admin = kafka.admin();
    await admin.connect();
    return admin;
  }
  /** What the library's admin does not offer. */
  async function askBehind<Answer>(what: string, question: (cluster: Cluster) => Promise<Answer>): Promise<Answer> {
    const cluster = openCluster(config);
    try {
      await cluster.connect();
      return await question(cluster);
    } catch (error) {
      throw kafkaError(error, what, describeCluster);
    } finally {
      await cluster.disconnect();
    }
  }
  return {
    brokers: () => ask("ask who the brokers are", describeCluster, brokersOf),
    topics: (names) =>
      ask("look at the topics", { topic: "Describe on the topics" }, (admin) => topicsOf(admin, names)),
    groups: (names) =>
      ask("look at the groups", { group: `Describe on groups ${names.join(", ")}` }, (admin) => groupsOf(admin, names)),
    brokerSetting: (name) =>
      ask("look at the brokers' settings", { cluster: "DescribeConfigs on the cluster" }, (admin) =>
        brokerSettingOf(admin, name),
      ),
    protocol: () =>
      askBehind("ask what the brokers know", async (cluster) => ({
        endTransactionMax: cluster.brokerPool.versions[endTransactionKey]?.maxVersion ?? 0,
      })),
    async sizes() {
      const { brokers } = await ask("ask who the brokers are", describeCluster, brokersOf);
      const ids = brokers.map(({ id }) => id);
      return askBehind("ask how large the topics are", (cluster) => logSizes(cluster, ids));
    },
    appendTime: (topic) => appendTime(kafka, topic),
    async close() {
      await connected?.then((admin) => admin.disconnect()).catch(() => undefined);
    },
  };
}

async function appendTime(kafka: Kafka, topic: string): Promise<number | null> {
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, allowAutoTopicCreation: false });
  try {
    await producer.connect();
    const [sent] = await producer.send({
      topic,
      acks: -1,
      messages: [{ partition: 0, value: Buffer.from("probe") }],
    });
    const time = Number(sent?.logAppendTime ?? -1);
    return time >= 0 ? time : null;
  } catch (error) {
    throw kafkaError(error, `append to ${topic}`, {
      topic: `Write on topic ${topic}`,
      cluster: `Write on topic ${topic}`,
    });
  } finally {
    await producer.disconnect();
  }
}

async function brokersOf(admin: Admin): Promise<BrokerList> {
  const { clusterId, brokers } = await admin.describeCluster();
  return { clusterId, brokers: brokers.map(({ nodeId, host, port }) => ({ id: nodeId, address: `${host}:${port}` })) };
}

async function topicsOf(admin: Admin, names: readonly string[]): Promise<readonly TopicState[]> {
  const there = new Set(await admin.listTopics());
  const wanted = names.filter((name) => there.has(name));
  if (wanted.length === 0) return [];
  const { topics } = await admin.fetchTopicMetadata({ topics: wanted });
  const settings = await settingsOf(admin, wanted);
  return topics.map(({ name, partitions }) => ({
    topic: name,
    partitions: partitions
      .map(({ partitionId, leader, replicas, isr }) => ({
        partition: partitionId,
        leader: leader < 0 ? null : leader,
        replicas,
        inSync: isr,
      }))
      .sort((a, b) => a.partition - b.partition),
    settings: settings?.get(name) ?? null,
  }));
}

async function brokerSettingOf(admin: Admin, name: string): Promise<ReadonlyMap<number, string> | null> {
  const { brokers } = await admin.describeCluster();
  const resources = brokers.map(({ nodeId }) => ({ type: brokerResource, name: String(nodeId), configNames: [name] }));
  const found = await describedBy(admin, resources);
  return found && new Map(Array.from(found, ([id, settings]) => [Number(id), settings[name] ?? ""]));
}

/** Null where the user may not see them. */
function settingsOf(admin: Admin, names: readonly string[]) {
  return describedBy(
    admin,
    names.map((name) => ({ type: topicResource, name })),
  );
}

async function describedBy(admin: Admin, resources: ResourceConfigQuery[]) {
  try {
    const answer = await admin.describeConfigs({ resources, includeSynonyms: false });
    return new Map(
      answer.resources.map(({ resourceName, configEntries }) => [
        resourceName,
        Object.fromEntries(configEntries.map(({ configName, configValue }) => [configName, configValue])),
      ]),
    );
  } catch (error) {
    if (protocolError(error).endsWith("AUTHORIZATION_FAILED")) return null;
    throw error;
  }
}

async function groupsOf(admin: Admin, names: readonly string[]): Promise<readonly GroupState[]> {
  const { groups } = await admin.describeGroups([...names]);
  return groups.map(({ groupId, state, members }) => ({
    group: groupId,
    state,
    members: members.map(({ clientId, clientHost }) => `${clientId} at ${clientHost.replace(/^\//, "")}`),
  }));
}
