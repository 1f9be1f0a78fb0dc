/** The topics of a cluster, by name, and how they are made. */

import type { KafkaClient, TopicSpec } from "./kafka-client.ts";

export interface KafkaTopics {
  /** Exports by trace. */
  readonly spans: string;
  /** Records by tenant and feature. */
  readonly usage: string;
  /** What the resolver of a partition of `spans` remembers, step by step, in the partition of the same number. */
  readonly memory: string;
  /** Entries that cannot be read, one partition. */
  readonly deadLetters: string;
  /** What records add to their series, minute by minute: one partition, for the detectors of wholes. */
  readonly deltas: string;
  /** What detectors claim: one partition. */
  readonly claims: string;
  /** Points of OTLP metrics by instance. */
  readonly metrics: string;
  /** The re-pricing that was asked for last, and how far each partition of `spans` is with it: one partition. */
  readonly reprices: string;
  /** What producers numbered, as resolvers met it: one partition. */
  readonly numbers: string;
  /** The latest snapshots of detectors, alerter and accounts. */
  readonly snapshots: string;
  /** Where `burnwatch doctor` tries what it may, and asks brokers the time. */
  readonly probe: string;
}

export interface KafkaGroup {
  readonly role: string;
  /** Which of the groups of a role. */
  readonly name: string;
  /** Its name with the prefix. */
  readonly group: string;
  readonly topic: string;
}

export interface KafkaLayout {
  /** Before the names of topics, groups and transactional ids. */
  readonly prefix: string;
  /** Of each topic. */
  readonly partitions: number;
  readonly replicas: number;
}

export interface KafkaRetention {
  /** How long a repeated span is known: what is older in `memory` is needed no more. */
  readonly horizonMs: number;
}

/** A message holds a part of an export or a chunk of records; one span may take two megabytes. */
export const messageBytesMax = 16 * 1024 * 1024;
/** A part of an export that is larger is divided. */
export const spansEntryBytesMax = 1024 * 1024;
/**
 * What is too old goes by whole segments, and brokers begin one after a gigabyte or seven days unless they are told: a
 * partition with little in it would keep its records for a week longer than it says.
 */
const segmentMs = 3_600_000;
/** Time for resolvers to be down. */
const spansKeptMs = 3 * 86_400_000;
/**
 * Time for ClickHouse to be down; shorter than the seven days after which brokers forget how far an absent group had come
 * (`offsets.retention.minutes`, which the doctor compares), so that a writer that finds no place finds nothing in the log
 * either that it has written.
 */
const usageKeptMs = 5 * 86_400_000;

/** Time to look, to mend and to put back. */
const deadLettersKeptMs = 30 * 86_400_000;
/** A letter is an entry and where it stood. */
const letterHeadBytesMax = 65_536;
const probeKeptMs = 3_600_000;

/** Older snapshots go soon: what is kept is little more than two of each. */
const lastOfEachKey = {
  "cleanup.policy": "compact",
  "min.cleanable.dirty.ratio": "0.2",
  "segment.bytes": String(128 * 1024 * 1024),
};

/** The names of the topics of a cluster. */
export function topicsOf({ prefix }: Pick<KafkaLayout, "prefix">): KafkaTopics {
  const named = (name: string) => `${prefix}.${name}`;
  return {
    spans: named("spans"),
    usage: named("usage"),
    memory: named("memory"),
    deadLetters: named("dead-letter"),
    deltas: named("deltas"),
    claims: named("claims"),
    metrics: named("metrics"),
    reprices: named("reprices"),
    numbers: named("numbers"),
    snapshots: named("snapshots"),
    probe: named("probe"),
  };
}

/** The names of all groups, without the prefix: the only place where they are written. Transactional ids begin with them. */
export const groupNames = {
  resolver: "resolver",
  writer: "writer",
  detector: "detector",
  wholes: "detector-wholes",
  alerter: "alerter",
  metrics: "metrics",
  completeness: "completeness",
  deadLetter: "dead-letter",
  migrate: "migrate",
  doctor: "doctor",
} as const;

/** What is kept of a partition in the topic of re-pricings. */
export function repriceShareKey(partition: number): string {
  return `share/${partition}`;
}

/** The groups of a cluster that come forward in a topic, by the role that has them. */
export function groupsOf(layout: Pick<KafkaLayout, "prefix">): readonly KafkaGroup[] {
  const topics = topicsOf(layout);
  const group = (name: string, topic: string, role = name) => ({
    role,
    name,
    group: `${layout.prefix}.${name}`,
    topic,
  });
  return [
    group(groupNames.resolver, topics.spans),
    group(groupNames.writer, topics.usage),
    group(groupNames.detector, topics.usage),
    group(groupNames.wholes, topics.deltas, "detector"),
    group(groupNames.alerter, topics.claims),
    group(groupNames.metrics, topics.metrics, "writer"),
    group(groupNames.completeness, topics.numbers, "api"),
  ];
}

/** What the topics of a cluster should be. */
export function topicSpecs(layout: KafkaLayout, { horizonMs }: KafkaRetention): readonly TopicSpec[] {
  const { partitions, replicas } = layout;
  const topics = topicsOf(layout);
  const settings = (keptMs: number, bytesMax = messageBytesMax) => ({
    "cleanup.policy": "delete",
    "compression.type": "producer",
    "max.message.bytes": String(bytesMax),
    "min.insync.replicas": String(Math.max(1, replicas - 1)),
    "retention.ms": String(keptMs),
    "segment.ms": String(segmentMs),
    "unclean.leader.election.enable": "false",
  });
  const letters = settings(deadLettersKeptMs, messageBytesMax + letterHeadBytesMax);
  return [
    { topic: topics.spans, partitions, replicas, settings: settings(spansKeptMs) },
    { topic: topics.usage, partitions, replicas, settings: settings(usageKeptMs) },
    // A resolver may be away for as long as the spans are kept, and the oldest of these share a segment with younger ones.
    { topic: topics.memory, partitions, replicas, settings: settings(horizonMs + spansKeptMs + 2 * segmentMs) },
    { topic: topics.deadLetters, partitions: 1, replicas, settings: letters },
    // Times of its records are the brokers', and they are needed for a moment.
    {
      topic: topics.probe,
      partitions: 1,
      replicas,
      settings: { ...settings(probeKeptMs), "message.timestamp.type": "LogAppendTime" },
    },
    { topic: topics.deltas, partitions: 1, replicas, settings: settings(usageKeptMs) },
    { topic: topics.claims, partitions: 1, replicas, settings: settings(usageKeptMs) },
    { topic: topics.metrics, partitions, replicas, settings: settings(spansKeptMs) },
    {
      topic: topics.reprices,
      partitions: 1,
      replicas,
      settings: { ...settings(usageKeptMs), ...lastOfEachKey, "segment.bytes": String(1024 * 1024) },
    },
    { topic: topics.numbers, partitions: 1, replicas, settings: settings(usageKeptMs) },
    { topic: topics.snapshots, partitions, replicas, settings: { ...settings(usageKeptMs), ...lastOfEachKey } },
  ];
}

/** Makes what is missing. @throws Error where a topic has other than the configured number of partitions. */
export function createKafkaTopics(client: KafkaClient, layout: KafkaLayout, retention: KafkaRetention): Promise<void> {
  return client.createTopics(topicSpecs(layout, retention));
}
