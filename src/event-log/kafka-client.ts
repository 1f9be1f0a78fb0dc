/**
 * What this project needs of a Kafka client, so that one library can be exchanged for another. Offsets are Kafka's own:
 * the first record of a partition has 0, and they have gaps where transactions ended.
 *
 * Contract. Errors that may pass (a broker away, a leader moved) are `KafkaUnavailable`, and the same call may be made
 * again; after any error of a transaction its `KafkaTransactions` is of no more use. Reads see only what is committed.
 */

export interface KafkaAddress {
  /** `host:port` each. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** Without it connections are plain, and nobody shows who they are. */
  readonly security?: KafkaSecurity;
}

export interface KafkaSecurity {
  /** PEM texts; without an authority those that Node trusts. Null for connections that are not encrypted. */
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string } | null;
  readonly sasl: {
    readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
    readonly username: string;
    readonly password: string;
  } | null;
}

export interface KafkaMessage {
  readonly topic: string;
  readonly partition: number;
  /** Of a topic that keeps the last message of each key; others need none. */
  readonly key?: string;
  readonly value: Uint8Array;
}

export interface KafkaRecord {
  readonly offset: number;
  readonly value: Uint8Array;
}

export interface TopicSpec {
  readonly topic: string;
  readonly partitions: number;
  /** Copies of each partition; all but one must have a record before it is acknowledged. */
  readonly replicas: number;
  /** By Kafka's names, such as `retention.ms`. */
  readonly settings: Readonly<Record<string, string>>;
}

/** How far a group has come in one partition. */
export interface Commit {
  /** The next record to be read. */
  readonly offset: number;
  /** At most 4,096 bytes. */
  readonly metadata: string;
}

export interface PartitionCommit extends Commit {
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
}

export interface Fetched {
  readonly records: readonly KafkaRecord[];
  /** Where to read on. */
  readonly nextOffset: number;
  /** How far it can be read now, as of `endOffsets`. */
  readonly endOffset: number;
}

/** One partition, read at one's own pace, with a connection of its own: a question may wait for records. */
export interface KafkaReader {
  /**
   * Waits at most `waitMs` for the first record; whole records of about `bytesMax`, at least one where there is one.
   * @throws KafkaOutOfRange where the offset is not in the log.
   */
  fetch(from: { readonly offset: number; readonly bytesMax: number; readonly waitMs: number }): Promise<Fetched>;
  close(): Promise<void>;
}

export interface KafkaProducer {
  /** Resolves when every in-sync copy has the messages. After an error it is unknown which of them are there. */
  send(messages: readonly KafkaMessage[]): Promise<void>;
  close(): Promise<void>;
}

export interface KafkaTransactions {
  /**
   * Appends the messages and moves the group, whole or not at all. One at a time.
   * @returns the messages' offsets.
   * @throws KafkaFenced when the transactional id was taken over.
   */
  commit(messages: readonly KafkaMessage[], commit: PartitionCommit): Promise<readonly number[]>;
  close(): Promise<void>;
}

export interface KafkaClient {
  /** Makes the topics that are missing. @throws Error where one has other than the asked number of partitions. */
  createTopics(topics: readonly TopicSpec[]): Promise<void>;
  /** Partitions of a topic, 0 where there is none of that name. */
  partitions(topic: string): Promise<number>;
  producer(): Promise<KafkaProducer>;
  /** Takes a transactional id over: what its former owner has not committed is undone, and it can commit no more. */
  transactions(transactionalId: string): Promise<KafkaTransactions>;
  reader(topic: string, partition: number): Promise<KafkaReader>;
  /** Of the first record that is kept, or of the first one since that time; behind the last one where there is none. */
  startOffset(topic: string, partition: number, sinceMs?: number): Promise<number>;
  /** Of the first record that is kept of each partition, behind the last one where there is none: one question for all. */
  startOffsets(topic: string): Promise<ReadonlyMap<number, number>>;
  /**
   * How far each partition can be read: to where the oldest transaction began that is still open. What was committed
   * behind that is hidden until it ends.
   */
  endOffsets(topic: string): Promise<ReadonlyMap<number, number>>;
  /** Behind the last record that the in-sync copies of each partition have, be its transaction open or ended. */
  highWatermarks(topic: string): Promise<ReadonlyMap<number, number>>;
  /** By partition, where the group has committed anything. */
  committed(group: string, topic: string): Promise<ReadonlyMap<number, Commit>>;
  /** Becomes a member of a group, and stays one until it leaves. @throws Error where it cannot become one at first. */
  join(group: string, topic: string, member: GroupMember): Promise<KafkaMembership>;
  /**
   * Waits for a turn among those who ask for the same group, one at a time; `leave` gives it on, as does a process that
   * dies. One that stood still for longer than a session may meet its successor: the work must bear to be done twice.
   * @param topic of one partition; nothing is read from it or written to it.
   */
  turn(group: string, topic: string): Promise<KafkaMembership>;
  /** The id that the brokers gave their cluster when it was made. */
  clusterId(): Promise<string>;
  close(): Promise<void>;
}

export interface GroupMember {
  /** Told of each new share of the topic's partitions. */
  readonly assigned: (partitions: readonly number[]) => void;
  /** Told that the brokers do not take us any more, after a share of nothing; it is tried again after that time. */
  readonly outside?: (error: Error, retryInMs: number) => void;
}

export interface KafkaMembership {
  leave(): Promise<void>;
}

/** The brokers cannot be reached, or are not ready: the same may succeed later. */
export class KafkaUnavailable extends Error {
  override name = "KafkaUnavailable";
}

/** A place that is read from lies before what is kept of a partition, or behind its end. */
export class KafkaOutOfRange extends Error {
  override name = "KafkaOutOfRange";
}

/** Somebody else has taken over the transactional id. */
export class KafkaFenced extends Error {
  override name = "KafkaFenced";
}
