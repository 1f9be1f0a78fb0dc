/** The doctor's checks of a cluster: its brokers, topics, parts, ClickHouse, clocks and permissions. */

import type { Config } from "../config.ts";
import type { Check } from "../console/doctor.ts";
import type { OperatedCluster } from "../console/operated-cluster.ts";
import { groupLag } from "../event-log/group-lag.ts";
import { KafkaDeadLetters } from "../event-log/kafka-dead-letters.ts";
import { groupNames, groupsOf } from "../event-log/kafka-topics.ts";
import { keptMsMost, topicFaults } from "../event-log/topic-faults.ts";
import { attempt, clockCheck, judge, ok } from "./check-kinds.ts";
import { checkClickhouse, checkReader } from "./clickhouse-checks.ts";
import { rememberedClusterId } from "./cluster-id.ts";

/**
 * Of Kafka 4.0. Whoever takes a partition over asks for its place without `requireStable`, which kafkajs does not know: so
 * the brokers must have moved the group before they let the transactional id go, and must take no late message of a former
 * owner (KIP-890). Nothing older was tested.
 */
const endTransactionLeast = 5;
const probeBytesMax = 65_536;
const probeWaitMs = 2000;

/** One after the other: each failure is one line, with what to do. */
export async function checkCluster(config: Config, cluster: OperatedCluster): Promise<readonly Check[]> {
  const brokers = await attempt("brokers", brokersAdvice(config), () => checkBrokers(config, cluster));
  // Where nobody answers, everything else would only say so again.
  const ofKafka =
    brokers[0]?.status === "fail"
      ? []
      : [
          ...(await attempt("topics", "", () => checkTopics(cluster))),
          ...(await attempt("places", "", () => checkPlaces(cluster))),
          ...(await attempt("permissions", permissionAdvice(config), () => checkAppend(cluster))),
          ...(await attempt("transactions", permissionAdvice(config), () => checkTransaction(cluster))),
          ...(await attempt("parts", permissionAdvice(config), () => checkParts(cluster))),
          ...(await attempt("dead letters", "", () => checkLetters(cluster))),
        ];
  return [...brokers, ...ofKafka, ...(await checkClickhouse(config)), ...(await checkReader(config))];
}

function brokersAdvice({ kafkaBrokers }: Config): string {
  return `correct kafka.brokers (${kafkaBrokers?.join(", ")}), or start them; a listener must be reachable by its advertised name`;
}

function permissionAdvice({ kafkaPrefix }: Config): string {
  return `allow the user of Kafka Read, Write, Describe and DescribeConfigs on topics, Read on groups and Write on transactional ids that begin with ${kafkaPrefix}`;
}

async function checkBrokers(config: Config, { operator }: OperatedCluster): Promise<readonly Check[]> {
  const { clusterId, brokers } = await operator.brokers();
  const { endTransactionMax } = await operator.protocol();
  const known = config.kafkaClusterId ?? rememberedClusterId(config.data);
  return [
    ok("brokers", `${brokers.length} answer: ${brokers.map(({ address }) => address).join(", ")}`),
    known !== null && known !== clusterId
      ? {
          name: "cluster id",
          status: "fail",
          detail: `the brokers are of ${clusterId}, expected ${known}`,
          advice: "correct kafka.brokers, kafka.cluster_id or the data directory",
        }
      : ok("cluster id", clusterId),
    versionCheck(endTransactionMax),
  ];
}

/** @param endTransactionMax by the brokers' own list of what they know. */
export function versionCheck(endTransactionMax: number): Check {
  return judge("kafka version", endTransactionMax >= endTransactionLeast, {
    detail: `ends transactions by version ${endTransactionMax} of that request`,
    fault: `, expected ${endTransactionLeast} or later`,
    advice: "upgrade the brokers to Kafka 4.0 or newer: with older ones a hand-over may lose or double spans",
  });
}

async function checkTopics({ operator, specs }: OperatedCluster): Promise<readonly Check[]> {
  const found = new Map((await operator.topics(specs.map(({ topic }) => topic))).map((one) => [one.topic, one]));
  const faults = specs.flatMap((spec) =>
    topicFaults(spec, found.get(spec.topic)).map(({ fault, advice, severe }): Check => {
      return { name: `topic ${spec.topic}`, status: severe ? "fail" : "warn", detail: fault, advice };
    }),
  );
  return faults.length > 0 ? faults : [ok("topics", `${specs.length}, as they should be`)];
}

/** A group whose place was forgotten begins anew: by then nothing may be left of what it has read. */
async function checkPlaces({ operator, specs, prefix }: OperatedCluster): Promise<readonly Check[]> {
  const settingName = "offsets.retention.minutes";
  const settings = await operator.brokerSetting(settingName);
  if (settings === null) {
    const detail = "the brokers' settings may not be read";
    const advice = `allow the user DescribeConfigs on the cluster, or see that ${settingName} is longer than topics are kept`;
    return [{ name: "places", status: "warn", detail, advice }];
  }
  const read = new Set(groupsOf({ prefix }).map(({ topic }) => topic));
  const found = new Map((await operator.topics([...read])).map((one) => [one.topic, one.settings]));
  const kept = specs.filter(({ topic }) => read.has(topic)).map((one) => found.get(one.topic) ?? one.settings);
  const keptMs = keptMsMost(kept);
  return [placesCheck(Math.min(...Array.from(settings.values(), Number)) * 60_000, keptMs)];
}

/** @param knownMs how long brokers know the place of a group without members. */
export function placesCheck(knownMs: number, keptMs: number): Check {
  const days = (ms: number) => (Number.isFinite(ms) ? `${(ms / 86_400_000).toFixed(1)} days` : "ever");
  return judge("places", knownMs > keptMs, {
    detail: `brokers know for ${days(knownMs)} where an absent group is, and topics are kept for at most ${days(keptMs)}`,
    fault: ": a log whose reader was forgotten is read again from its start",
    advice: `set offsets.retention.minutes above ${Number.isFinite(keptMs) ? Math.ceil(keptMs / 60_000) : "what topics are kept"} in server.properties of the brokers, or keep the topics for less (burnwatch topics)`,
  });
}

/** A record into a topic made for it: that this user may append, and what the brokers' clock says. */
async function checkAppend({ operator, topics }: OperatedCluster): Promise<readonly Check[]> {
  const before = Date.now();
  const brokerMs = await operator.appendTime(topics.probe);
  const after = Date.now();
  const written = ok("permissions", `this user may append (${after - before} ms)`);
  return brokerMs === null ? [written] : [written, clockCheck("clock of the broker", brokerMs, { before, after })];
}

/** One as the parts make them, read again as they read: a record and the place of a group, under names of the doctor's own. */
async function checkTransaction({ client, prefix, topics }: OperatedCluster): Promise<readonly Check[]> {
  const [name, topic, partition] = [`${prefix}.${groupNames.doctor}`, topics.probe, 0];
  const transactions = await client.transactions(name);
  const value = Buffer.from("doctor");
  const place = { group: name, topic, partition, offset: Date.now(), metadata: "" };
  const [offset = 0] = await transactions
    .commit([{ topic, partition, value }], place)
    .finally(() => transactions.close().catch(() => undefined));
  const reader = await client.reader(topic, partition);
  const { records } = await reader
    .fetch({ offset, bytesMax: probeBytesMax, waitMs: probeWaitMs })
    .finally(() => reader.close());
  const isRead = records.some((record) => record.offset === offset && value.equals(record.value));
  const isPlaced = (await client.committed(name, topic)).get(partition)?.offset === place.offset;
  return [
    judge("transactions", isRead && isPlaced, {
      detail: isRead && isPlaced ? "a record and a group's place, committed and read" : `one was committed as ${name}`,
      fault: isRead ? ", and the group is not where it says" : ", and its record cannot be read",
      advice: "see whether the brokers are well: every replica of __transaction_state and __consumer_offsets in sync",
    }),
  ];
}

async function checkParts({ client, operator, prefix }: OperatedCluster): Promise<readonly Check[]> {
  const groups = groupsOf({ prefix });
  const states = new Map((await operator.groups(groups.map(({ group }) => group))).map((one) => [one.group, one]));
  const checks = groups.map(async ({ role, name, group, topic }): Promise<Check> => {
    const members = states.get(group)?.members ?? [];
    const behind = (await groupLag(client, group, topic)).reduce((sum, { records }) => sum + records, 0);
    return judge(`${name}`, members.length > 0, {
      detail: `${members.length} at work${members.length === 0 ? "" : `: ${members.join(", ")}`}; at most ${behind} entries behind`,
      fault: "",
      advice: `start one: burnwatch serve --role ${role}`,
      status: "warn",
    });
  });
  const members = [...states.values()].flatMap((one) => one.members);
  return [...(await Promise.all(checks)), ...versionsCheck(members)];
}

/** @param members client ids of the groups' members, which say their versions; collectors are in no group. */
export function versionsCheck(members: readonly string[]): readonly Check[] {
  const versions = [...new Set(members.map((member) => /^burnwatch-(\d+\.\d+\.\d+)-/.exec(member)?.[1] ?? "unknown"))];
  if (versions.length === 0) return [];
  return [
    judge("versions", versions.length === 1, {
      detail: `parts of version ${versions.sort().join(" and ")} are at work`,
      fault: ", an upgrade that is under way or was left halfway",
      advice: "upgrade writers, detectors, alerter and api first, then resolvers, then collectors",
      status: "warn",
    }),
  ];
}

async function checkLetters({ client, prefix, topics }: OperatedCluster): Promise<readonly Check[]> {
  const letters = await new KafkaDeadLetters({ client, prefix, topics, now: Date.now }).list();
  const parked = letters.filter(({ replayedAtMs }) => replayedAtMs === null).length;
  const advice = "see burnwatch dead-letter for the reasons";
  return [judge("dead letters", parked === 0, { detail: `${parked}`, fault: " put aside", advice, status: "warn" })];
}
