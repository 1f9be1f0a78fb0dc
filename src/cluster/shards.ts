/** Where the shards of a configuration are, and what of it cannot be. */

import { type Config, ConfigError } from "../config.ts";
import type { RemoteStoreOptions } from "../store/remote-servers.ts";

export interface Shards {
  /** The replicas of each shard. */
  readonly shards: readonly (readonly string[])[];
  readonly cluster: string | null;
}

/**
 * The shards of a configuration; null where all rows are in one place, on a server of its own or in this process.
 * @throws ConfigError where its keys contradict each other.
 */
export function shardsOf(config: Config): Shards | null {
  const { clickhouseUrl: url, clickhouseShards, clickhouseCluster: cluster, kafkaBrokers } = config;
  if (config.storagePolicy !== null && url === null && clickhouseShards === null)
    throw new ConfigError("store.storage_policy is one of a ClickHouse server: name that with clickhouse.url");
  if (clickhouseShards === null && cluster === null) return null;
  if (clickhouseShards !== null && url !== null)
    throw new ConfigError(
      "clickhouse.url and clickhouse.shards are both set: keep clickhouse.shards, with the server of clickhouse.url first",
    );
  const shards = clickhouseShards ?? (url === null ? [] : [[url]]);
  if (shards.length === 0) throw new ConfigError("clickhouse.cluster: name its servers with clickhouse.shards");
  if (cluster === null && shards.some((replicas) => replicas.length > 1))
    throw new ConfigError(
      "clickhouse.shards: replicas have the same rows in a ClickHouse cluster only: name it with clickhouse.cluster",
    );
  if (kafkaBrokers === null)
    throw new ConfigError("clickhouse.shards and clickhouse.cluster are for the parts of a cluster: set kafka.brokers");
  return { shards, cluster };
}

/** What a configuration says of every ClickHouse server. */
export function remoteOptionsOf(config: Config): Omit<RemoteStoreOptions, "url"> {
  const { clickhouseReadUser: reader, storagePolicy, rawRetentionDays, rollupRetentionMonths } = config;
  const coldStorage = { policy: storagePolicy ?? "", volume: config.coldVolume, afterDays: config.coldAfterDays };
  return {
    database: config.clickhouseDatabase,
    username: config.clickhouseUser,
    password: config.clickhousePassword,
    ...(reader === null ? {} : { reader: { username: reader, password: config.clickhouseReadPassword } }),
    requestTimeoutMs: config.clickhouseTimeoutSeconds * 1000,
    rawRetentionDays,
    rollupRetentionMonths,
    ...(storagePolicy === null ? {} : { coldStorage }),
  };
}
