/** What whoever looks after a cluster asks its brokers, beside what its parts do. */

export interface BrokerList {
  readonly clusterId: string;
  readonly brokers: readonly { readonly id: number; readonly address: string }[];
}

export interface TopicState {
  readonly topic: string;
  readonly partitions: readonly {
    readonly partition: number;
    /** Null where nobody leads it: it can be neither read nor written. */
    readonly leader: number | null;
    readonly replicas: readonly number[];
    readonly inSync: readonly number[];
  }[];
  /** By Kafka's names; null where the user may not ask. */
  readonly settings: Readonly<Record<string, string>> | null;
}

export interface GroupState {
  readonly group: string;
  /** `Stable`, `PreparingRebalance`, `Empty`, `Dead`... */
  readonly state: string;
  /** Client ids with their hosts. */
  readonly members: readonly string[];
}

export interface KafkaOperator {
  brokers(): Promise<BrokerList>;
  /** Those of the names that are there. */
  topics(names: readonly string[]): Promise<readonly TopicState[]>;
  /** Bytes on the brokers' disks by topic, all copies together; null where the user may not ask. */
  sizes(): Promise<ReadonlyMap<string, number> | null>;
  groups(names: readonly string[]): Promise<readonly GroupState[]>;
  /** A setting of each broker, by its id; null where the user may not ask. */
  brokerSetting(name: string): Promise<ReadonlyMap<number, string> | null>;
  /** The newest request to end a transaction that the brokers know: what tells their age. */
  protocol(): Promise<{ readonly endTransactionMax: number }>;
  /**
   * Appends one small record, and tells what the broker's clock said meanwhile.
   * @returns Unix milliseconds; null where the topic does not keep the broker's time.
   */
  appendTime(topic: string): Promise<number | null>;
  close(): Promise<void>;
}
