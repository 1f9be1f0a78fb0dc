/** The only reader of environment and configuration file. Every key has a default, an override and a line of docs. */

import { z } from "zod";
import { ConfigError, readConfigFile } from "./config-file.ts";
import {
  type Address,
  address,
  brokerList,
  choices,
  count,
  hasUserInfo,
  httpUrl,
  plainName,
  shardList,
} from "./config-values.ts";
import type { DetectorChoices } from "./detection/detector-plan.ts";

export { ConfigError } from "./config-file.ts";
export type { Address } from "./config-values.ts";

export interface Config {
  readonly data: string;
  readonly otlpHttp: Address | null;
  readonly otlpGrpc: Address | null;
  readonly api: Address | null;
  readonly clickhouseHttp: Address | null;
  readonly webhook: string | null;
  readonly logLevel: string;
  /** Null for prices.yaml in the data directory, if it is there. */
  readonly prices: string | null;
  readonly rawRetentionDays: number;
  readonly rollupRetentionMonths: number;
  /** Null where rows stay where they are. */
  readonly storagePolicy: string | null;
  readonly coldVolume: string;
  readonly coldAfterDays: number;
  readonly clickhouseUrl: string | null;
  /** The replicas of each shard; null for the one server of `clickhouseUrl`. */
  readonly clickhouseShards: readonly (readonly string[])[] | null;
  readonly clickhouseCluster: string | null;
  readonly clickhouseDatabase: string;
  readonly clickhouseUser: string;
  readonly clickhousePassword: string;
  readonly clickhouseReadUser: string | null;
  readonly clickhouseReadPassword: string;
  readonly clickhouseTimeoutSeconds: number;
  /** Null on one machine. */
  readonly kafkaBrokers: readonly string[] | null;
  /** Null for the one that the data directory has met first. */
  readonly kafkaClusterId: string | null;
  readonly kafkaPrefix: string;
  readonly kafkaTls: "on" | "off";
  readonly kafkaTlsCa: string | null;
  readonly kafkaTlsCert: string | null;
  readonly kafkaTlsKey: string | null;
  readonly kafkaSasl: "off" | "plain" | "scram-sha-256" | "scram-sha-512";
  readonly kafkaUser: string;
  readonly kafkaPassword: string;
  readonly kafkaPartitions: number;
  readonly kafkaReplicas: number;
  readonly identityHours: number;
  readonly identityEntriesMax: number;
  readonly backlogSpansMax: number;
  readonly batchRowsMax: number;
  readonly diskFreeBytesMin: number;
  readonly excessUsdPerMinuteMin: number;
  readonly detectors: DetectorChoices;
}

interface Key {
  readonly path: string;
  readonly variable: string;
  readonly value: string | number | null;
  readonly schema: z.ZodType;
  readonly doc: string;
}

/**
 * What comes later asks the table, which is near on one machine; in a cluster a resolver that takes a partition over reads
 * all that is remembered before it begins.
 */
const identityHours = { alone: 24, inCluster: 1 };

/** One line per key, in the order in which the help shows them. */
const keys = {
  data: key("data", "BURNWATCH_DATA", ".burnwatch", z.string().min(1, "a directory"), "directory of logs and tables"),
  otlpHttp: key(
    "otlp.http",
    "BURNWATCH_OTLP_HTTP",
    "127.0.0.1:4318",
    address,
    "where OTLP/HTTP takes traces and metrics; off closes it",
  ),
  otlpGrpc: key(
    "otlp.grpc",
    "BURNWATCH_OTLP_GRPC",
    "127.0.0.1:4317",
    address,
    "where OTLP/gRPC takes traces and metrics; off closes it",
  ),
  api: key("api", "BURNWATCH_API", "127.0.0.1:4319", address, "where API, metrics and health answer; off closes it"),
  webhook: key("webhook", "BURNWATCH_WEBHOOK", null, httpUrl, "URL that alerts are posted to"),
  logLevel: key(
    "log.level",
    "BURNWATCH_LOG_LEVEL",
    "info",
    z.enum(
      ["trace", "debug", "info", "warn", "error", "fatal", "silent"],
      "trace, debug, info, warn, error, fatal or silent",
    ),
    "least severe level that is logged",
  ),
  prices: key(
    "prices",
    "BURNWATCH_PRICES",
    null,
    z.string().min(1, "a file").nullable(),
    "price list of your own (YAML), read again when it changes; without it DATA/prices.yaml, if there is one",
  ),
  rawRetentionDays: key(
    "store.raw_retention_days",
    "BURNWATCH_RAW_RETENTION_DAYS",
    90,
    count(2),
    "days that single records are kept",
  ),
  rollupRetentionMonths: key(
    "store.rollup_retention_months",
    "BURNWATCH_ROLLUP_RETENTION_MONTHS",
    13,
    count(1),
    "months that 15-minute sums are kept",
  ),
  storagePolicy: key(
    "store.storage_policy",
    "BURNWATCH_STORAGE_POLICY",
    null,
    plainName,
    "a storage policy of the ClickHouse server, for rows to move to cheaper disks; without it they stay where they are",
  ),
  coldVolume: key(
    "store.cold_volume",
    "BURNWATCH_COLD_VOLUME",
    "cold",
    z.string().regex(/^[\w.-]+$/, "a name"),
    "the volume of that policy for older rows",
  ),
  coldAfterDays: key(
    "store.cold_after_days",
    "BURNWATCH_COLD_AFTER_DAYS",
    14,
    count(1),
    "days after which rows move there",
  ),
  clickhouseHttp: key(
    "clickhouse.http",
    "BURNWATCH_CLICKHOUSE_HTTP",
    "127.0.0.1:8123",
    address,
    "where any ClickHouse client may ask, read-only; off closes it",
  ),
  clickhouseUrl: key(
    "clickhouse.url",
    "BURNWATCH_CLICKHOUSE_URL",
    null,
    httpUrl,
    "a ClickHouse server; without it the engine runs in this process",
  ),
  clickhouseShards: key(
    "clickhouse.shards",
    "BURNWATCH_CLICKHOUSE_SHARDS",
    null,
    shardList,
    "in a cluster, in place of clickhouse.url: a server for each shard, http://a:8123,http://b:8123, other replicas of it after |; add new ones at the end, and remove none",
  ),
  clickhouseCluster: key(
    "clickhouse.cluster",
    "BURNWATCH_CLICKHOUSE_CLUSTER",
    null,
    plainName,
    "the ClickHouse cluster (remote_servers) of these shards: tables are made ON CLUSTER and replicated, and DATABASE_all reads all shards",
  ),
  clickhouseDatabase: key(
    "clickhouse.database",
    "BURNWATCH_CLICKHOUSE_DATABASE",
    "default",
    z.string().min(1, "a name"),
    "its database",
  ),
  clickhouseUser: key(
    "clickhouse.user",
    "BURNWATCH_CLICKHOUSE_USER",
    "default",
    z.string().min(1, "a name"),
    "the user there",
  ),
  clickhousePassword: key(
    "clickhouse.password",
    "BURNWATCH_CLICKHOUSE_PASSWORD",
    "",
    z.string(),
    "the password there; better from the environment",
  ),
  clickhouseTimeoutSeconds: key(
    "clickhouse.timeout_seconds",
    "BURNWATCH_CLICKHOUSE_TIMEOUT_SECONDS",
    120,
    count(1),
    "a connection to ClickHouse that is silent for so long is given up; writer and resolver ask again, who asked by the API is told",
  ),
  clickhouseReadUser: key(
    "clickhouse.read_user",
    "BURNWATCH_CLICKHOUSE_READ_USER",
    null,
    z.string().min(1, "a name").nullable(),
    "another user for all questions, who sees every row and may have readonly = 2; without it clickhouse.user",
  ),
  clickhouseReadPassword: key(
    "clickhouse.read_password",
    "BURNWATCH_CLICKHOUSE_READ_PASSWORD",
    "",
    z.string(),
    "the password of that user; better from the environment",
  ),
  kafkaBrokers: key(
    "kafka.brokers",
    "BURNWATCH_KAFKA_BROKERS",
    null,
    brokerList,
    "brokers of the logs, host:port,...; without them the logs are in the data directory, and one process does all",
  ),
  kafkaClusterId: key(
    "kafka.cluster_id",
    "BURNWATCH_KAFKA_CLUSTER_ID",
    null,
    z.string().min(1, "an id").nullable(),
    "the only cluster of brokers to work with; without it the one that the data directory has met first",
  ),
  kafkaPrefix: key(
    "kafka.prefix",
    "BURNWATCH_KAFKA_PREFIX",
    "burnwatch",
    z.string().regex(/^[\w.-]{1,100}$/, "letters, digits, dots, dashes and underscores"),
    "before the names of topics, groups and transactional ids",
  ),
  kafkaTls: key(
    "kafka.tls",
    "BURNWATCH_KAFKA_TLS",
    "off",
    z.union([z.enum(["on", "off"]), z.boolean().transform((on) => (on ? "on" : "off"))], "on or off"),
    "on: connections to the brokers are encrypted",
  ),
  kafkaTlsCa: key(
    "kafka.tls_ca",
    "BURNWATCH_KAFKA_TLS_CA",
    null,
    z.string().min(1, "a file").nullable(),
    "PEM file of the authority of the brokers' certificates; without it those that Node trusts",
  ),
  kafkaTlsCert: key(
    "kafka.tls_cert",
    "BURNWATCH_KAFKA_TLS_CERT",
    null,
    z.string().min(1, "a file").nullable(),
    "PEM file of this process's certificate, where the brokers ask for one",
  ),
  kafkaTlsKey: key(
    "kafka.tls_key",
    "BURNWATCH_KAFKA_TLS_KEY",
    null,
    z.string().min(1, "a file").nullable(),
    "PEM file of its key",
  ),
  kafkaSasl: key(
    "kafka.sasl",
    "BURNWATCH_KAFKA_SASL",
    "off",
    z.enum(["off", "plain", "scram-sha-256", "scram-sha-512"], "plain, scram-sha-256, scram-sha-512 or off"),
    "how the user shows who it is: plain, scram-sha-256 or scram-sha-512",
  ),
  kafkaUser: key("kafka.user", "BURNWATCH_KAFKA_USER", "", z.string(), "the user there"),
  kafkaPassword: key(
    "kafka.password",
    "BURNWATCH_KAFKA_PASSWORD",
    "",
    z.string(),
    "the password there; better from the environment",
  ),
  kafkaPartitions: key(
    "kafka.partitions",
    "BURNWATCH_KAFKA_PARTITIONS",
    12,
    count(1),
    "of each topic, for ever: as many processes of one role can share the work",
  ),
  kafkaReplicas: key(
    "kafka.replicas",
    "BURNWATCH_KAFKA_REPLICAS",
    3,
    count(1),
    "copies of each partition, of which all but one must have what is acknowledged",
  ),
  identityHours: key(
    "identity.hours",
    "BURNWATCH_IDENTITY_HOURS",
    null,
    count(1).nullable(),
    `how long a repeated span is recognised without asking the table; without it ${identityHours.alone}, in a cluster ${identityHours.inCluster}`,
  ),
  identityEntriesMax: key(
    "identity.entries_max",
    "BURNWATCH_IDENTITY_ENTRIES_MAX",
    50_000_000,
    count(1000),
    "records remembered for that, about 70 bytes of disk each; in a cluster of each partition, where it is worked on",
  ),
  backlogSpansMax: key(
    "ingest.backlog_spans_max",
    "BURNWATCH_BACKLOG_SPANS_MAX",
    200_000,
    count(1000),
    "accepted spans waiting to be resolved, beyond which exporters are told to wait",
  ),
  batchRowsMax: key("store.batch_rows_max", "BURNWATCH_BATCH_ROWS_MAX", 20_000, count(1), "rows of one insert"),
  diskFreeBytesMin: key(
    "disk.free_bytes_min",
    "BURNWATCH_DISK_FREE_BYTES_MIN",
    268_435_456,
    count(0),
    "free bytes on the disk of data below which exporters are told to wait, and resolvers of a cluster stop; 0 for no such limit",
  ),
  excessUsdPerMinuteMin: key(
    "detection.excess_usd_per_minute_min",
    "BURNWATCH_EXCESS_USD_PER_MINUTE_MIN",
    0.02,
    z.coerce.number({ message: "a number of dollars" }).min(0, "0 or more"),
    "smallest excess spend that is worth an alert",
  ),
  detectors: key(
    "detection.detectors",
    "BURNWATCH_DETECTORS",
    "",
    choices,
    "how loud, and thresholds: spend@tenant=off, token-shift.mean_ratio_min=1.5 (detectors/README.md)",
  ),
} satisfies { readonly [Name in keyof Config]: Key };

function key(path: string, variable: string, value: Key["value"], schema: z.ZodType, doc: string): Key {
  return { path, variable, value, schema, doc };
}

/** Reads the file, if one is named, and the environment, which wins. @throws ConfigError for the first mistake found. */
export function readConfig(
  file: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): Config {
  const fromFile =
    file === undefined
      ? new Map<string, unknown>()
      : readConfigFile(
          file,
          Object.values(keys).map(({ path }) => path),
        );
  const entries = Object.entries(keys).map(([name, { path, variable, value, schema }]) => {
    const override = environment[variable];
    const source = override !== undefined ? `environment variable ${variable}` : `${file}: ${path}`;
    const given = override ?? (fromFile.has(path) ? fromFile.get(path) : value);
    const parsed = schema.safeParse(given);
    if (parsed.success) return [name, parsed.data];
    const expected = parsed.error.issues.map((issue) => issue.message).join("; ");
    const isSecret = path.endsWith("password") || (typeof given === "string" && hasUserInfo(given));
    const shown = isSecret ? "what is not shown" : JSON.stringify(given);
    throw new ConfigError(`${source}: expected ${expected}, got ${shown}`);
  });
  const config = Object.fromEntries(entries) as Config & { readonly identityHours: number | null };
  const hours = config.kafkaBrokers === null ? identityHours.alone : identityHours.inCluster;
  return { ...config, identityHours: config.identityHours ?? hours };
}

/** Every key with its override, default and meaning, for the help. */
export function configHelp(): readonly (readonly [path: string, variable: string, value: string, doc: string])[] {
  return Object.values(keys).map(({ path, variable, value, doc }) => [path, variable, String(value ?? ""), doc]);
}
