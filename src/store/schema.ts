/**
 * The tables of ClickHouse, as statements that may be repeated. Base: one row per usage record. Rollups: sums per 15
 * minutes and per UTC day, filled by materialised views inside the same insert.
 *
 * Base and 15-minute rollup are partitioned by day, the unit of retention, of sealing and of rebuilding: by month, one
 * day after an unclean stop would cost thirty. The day rollup is a hundredth of the base; its months stay whole.
 */

import type { Modalities } from "../model/usage.ts";
import { costParts, partNanoUsd } from "./cost-split.ts";

/** How long rows are kept; both by the time of the call. */
export interface Retention {
  readonly rawRetentionDays: number;
  readonly rollupRetentionMonths: number;
  readonly coldStorage?: ColdStorage;
}

/** Cheaper disks for older rows: a volume of a storage policy of the server's. */
export interface ColdStorage {
  readonly policy: string;
  readonly volume: string;
  /** Rows of calls that are older are moved there, whole parts at a time, in the background. */
  readonly afterDays: number;
}

/** The TTL of a table: when rows are moved, where they are, and when they go. */
export function expiry(column: string, kept: string, coldStorage: ColdStorage | undefined): string {
  const gone = `toDate(${column}) + ${kept}`;
  if (coldStorage === undefined) return gone;
  return `toDate(${column}) + INTERVAL ${coldStorage.afterDays} DAY TO VOLUME '${coldStorage.volume}', ${gone}`;
}

/** Another setting of a table that has cold storage. */
export function policySetting(coldStorage: ColdStorage | undefined): string {
  return coldStorage === undefined ? "" : `, storage_policy = '${coldStorage.policy}'`;
}

/**
 * Windows count parts, and one batch makes up to 20 of them: 10,000 parts outlast at least 500 batches, and the writer
 * has at most one unresolved batch per log partition. The base is fsynced before an insert is acknowledged.
 */
const tableSettings = `ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000,
  fsync_after_insert = 1, fsync_part_directory = 1`;

/** What a price depends on beside tokens, and what was billed: columns of version 6. */
const pricedColumns = [
  { name: "images", type: "Int64" },
  { name: "audio_ms", type: "Int64" },
  { name: "service_tier", type: "LowCardinality(String)" },
  { name: "price_tag", type: "LowCardinality(String)" },
  { name: "cost_carry", type: "Int8" },
  { name: "repricings", type: "UInt16" },
] as const;

/** Tokens that are no text, each part of a bucket. Few records have any, so that a column of them is next to nothing. */
export const modalityColumns = [
  { name: "audio_input_tokens", modality: "audioInput" },
  { name: "audio_cache_read_tokens", modality: "audioCacheRead" },
  { name: "audio_output_tokens", modality: "audioOutput" },
  { name: "image_input_tokens", modality: "imageInput" },
  { name: "image_cache_read_tokens", modality: "imageCacheRead" },
  { name: "image_output_tokens", modality: "imageOutput" },
] as const satisfies readonly { readonly name: string; readonly modality: keyof Modalities }[];

/** Every column that a table of version 1 lacks; those of version 10 are last. */
export const laterColumns = [
  ...pricedColumns,
  { name: "instance", type: "LowCardinality(String)" },
  ...modalityColumns.map(({ name }) => ({ name, type: "Int64" })),
  // Eight bytes that no codec makes smaller where there is one, and next to nothing where there is none.
  { name: "prompt_hash", type: "UInt64" },
] as const;

/** A hash as people and records have it: 16 hex digits, or nothing. */
export function hashAsHex(column: string): string {
  return `if(${column} = 0, '', leftPad(lower(hex(${column})), 16, '0'))`;
}

/**
 * Sorted by what people ask for (tenant, feature, model), then by the exact time: neighbours share their dimensions, so
 * these cost almost nothing, and times ascend, so deltas are small.
 */
export function createUsageRecords({ rawRetentionDays, coldStorage }: Retention): string {
  return `CREATE TABLE IF NOT EXISTS usage_records (
  ts DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
  duration_us Int64 CODEC(T64, ZSTD(1)),
  trace_id FixedString(32) CODEC(ZSTD(1)),
  span_id FixedString(16) CODEC(ZSTD(1)),
  parent_span_id String CODEC(ZSTD(1)),
  tenant LowCardinality(String) CODEC(ZSTD(1)),
  service LowCardinality(String) CODEC(ZSTD(1)),
  environment LowCardinality(String) CODEC(ZSTD(1)),
  feature LowCardinality(String) CODEC(ZSTD(1)),
  user String CODEC(ZSTD(1)),
  session String CODEC(ZSTD(1)),
  agent LowCardinality(String) CODEC(ZSTD(1)),
  run String CODEC(ZSTD(1)),
  prompt_name LowCardinality(String) CODEC(ZSTD(1)),
  prompt_version LowCardinality(String) CODEC(ZSTD(1)),
  release LowCardinality(String) CODEC(ZSTD(1)),
  operation LowCardinality(String) CODEC(ZSTD(1)),
  provider LowCardinality(String) CODEC(ZSTD(1)),
  model LowCardinality(String) CODEC(ZSTD(1)),
  request_model LowCardinality(String) CODEC(ZSTD(1)),
  response_id String CODEC(ZSTD(1)),
  finish_reason LowCardinality(String) CODEC(ZSTD(1)),
  status LowCardinality(String) CODEC(ZSTD(1)),
  error_type LowCardinality(String) CODEC(ZSTD(1)),
  tool LowCardinality(String) CODEC(ZSTD(1)),
  tool_args_hash String CODEC(ZSTD(1)),
  outcome String CODEC(ZSTD(1)),
  input_uncached_tokens Int64 CODEC(T64, ZSTD(1)),
  cache_read_tokens Int64 CODEC(T64, ZSTD(1)),
  cache_write_5m_tokens Int64 CODEC(T64, ZSTD(1)),
  cache_write_1h_tokens Int64 CODEC(T64, ZSTD(1)),
  output_visible_tokens Int64 CODEC(T64, ZSTD(1)),
  reasoning_tokens Int64 CODEC(T64, ZSTD(1)),
  calls Int8 CODEC(ZSTD(1)),
  unpriced_calls Int8 CODEC(ZSTD(1)),
  cost_usd Nullable(Decimal(18, 9)) CODEC(T64, ZSTD(1)),
  cost_status LowCardinality(String) CODEC(ZSTD(1)),
  cost_reported_usd Nullable(Decimal(18, 9)) CODEC(T64, ZSTD(1)),
  revision UInt16 CODEC(ZSTD(1)),
  flags Array(LowCardinality(String)) CODEC(ZSTD(1)),
  batch LowCardinality(String) CODEC(ZSTD(1)),
${laterColumns.map(({ name, type }) => `  ${name} ${type} CODEC(ZSTD(1)),`).join("\n")}
  INDEX trace_id_bloom trace_id TYPE bloom_filter(0.01) GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toDate(ts)
ORDER BY (tenant, feature, model, ts)
TTL ${expiry("ts", `INTERVAL ${rawRetentionDays} DAY`, coldStorage)}
SETTINGS ${tableSettings}${policySetting(coldStorage)}`;
}

/** Dimensions a rollup keeps, in the order of its key after the three that lead it. */
export const rollupDimensions = [
  "tenant",
  "feature",
  "model",
  "service",
  "environment",
  "provider",
  "operation",
  "cost_status",
  "prompt_name",
  "prompt_version",
] as const;

/** One record, or minus one: the sign of a correction; operations that nobody bills (calls 0) count as one. */
const sign = "if(r.calls = 0, 1, toInt64(r.calls))";

/**
 * Sums a rollup keeps, each with its type and its value over base rows `r`. `priced_records` tells a sum of 0
 * dollars from a sum of unknown prices. New ones come last: the seals of closed days hold the sums in this order.
 */
export const rollupSums = [
  { name: "records", type: "Int64", of: `sum(${sign})` },
  { name: "calls", type: "Int64", of: "sum(toInt64(r.calls))" },
  { name: "errors", type: "Int64", of: `sum(if(r.status = 'error', ${sign}, 0))` },
  { name: "unpriced_calls", type: "Int64", of: "sum(toInt64(r.unpriced_calls))" },
  { name: "priced_records", type: "Int64", of: `sum(if(isNull(r.cost_usd), 0, ${sign}))` },
  { name: "input_uncached_tokens", type: "Int64", of: "sum(r.input_uncached_tokens)" },
  { name: "cache_read_tokens", type: "Int64", of: "sum(r.cache_read_tokens)" },
  { name: "cache_write_5m_tokens", type: "Int64", of: "sum(r.cache_write_5m_tokens)" },
  { name: "cache_write_1h_tokens", type: "Int64", of: "sum(r.cache_write_1h_tokens)" },
  { name: "output_visible_tokens", type: "Int64", of: "sum(r.output_visible_tokens)" },
  { name: "reasoning_tokens", type: "Int64", of: "sum(r.reasoning_tokens)" },
  { name: "call_duration_us", type: "Int64", of: "sum(r.duration_us * toInt64(r.calls))" },
  { name: "cost_usd", type: "Decimal(38, 9)", of: "sum(ifNull(r.cost_usd, toDecimal64(0, 9)))" },
  ...costParts.map(({ kind, name }) => ({ name, type: "Int64" as const, of: `sum(${partNanoUsd(kind)})` })),
] as const;

/** A table of sums over base rows. */
export interface Rollup {
  readonly table: string;
  /** The column that holds its time, the type of it, and its value for a base row `r`. */
  readonly time: string;
  readonly timeType: string;
  readonly timeOf: string;
  readonly partition: string;
}

/** Fifteen minutes, so that the days of any time zone can be put together. */
export const rollup15m: Rollup = {
  table: "usage_rollup_15m",
  time: "slot",
  timeType: "DateTime('UTC') CODEC(Delta(4), LZ4)",
  timeOf: "toStartOfFifteenMinutes(toDateTime(r.ts, 'UTC'))",
  partition: "toDate(slot)",
};

/** UTC days, so that a question over months reads thousands of rows instead of millions. */
export const rollup1d: Rollup = {
  table: "usage_rollup_1d",
  time: "day",
  timeType: "Date CODEC(Delta(2), LZ4)",
  timeOf: "toDate(r.ts)",
  partition: "toYYYYMM(day)",
};

/** A sum's column in a rollup. */
export function rollupColumn({ name, type }: { readonly name: string; readonly type: string }): string {
  // LZ4 and not ZSTD: a quarter more disk, a quarter less time for questions over months (measured on 4.5M rows). The
  // parts of a cost are asked for seldom, so they are kept small.
  const compression = costParts.some((part) => part.name === name) ? "ZSTD(1)" : "LZ4";
  return `${name} SimpleAggregateFunction(sum, ${type}) CODEC(${type === "Int64" ? "T64, " : ""}${compression})`;
}

/** The table of a rollup, with every dimension in its key. */
export function createRollup(rollup: Rollup, { rollupRetentionMonths, coldStorage }: Retention): string {
  const dimensions = rollupDimensions.map((name) => `  ${name} LowCardinality(String) CODEC(LZ4),`);
  const sums = rollupSums.map((sum) => `  ${rollupColumn(sum)}`);
  return `CREATE TABLE IF NOT EXISTS ${rollup.table} (
  ${rollup.time} ${rollup.timeType},
${dimensions.join("\n")}
${sums.join(",\n")}
) ENGINE = AggregatingMergeTree
PARTITION BY ${rollup.partition}
ORDER BY (tenant, feature, model, ${rollup.time}, ${rollupDimensions.slice(3).join(", ")})
TTL ${expiry(rollup.time, `INTERVAL ${rollupRetentionMonths} MONTH`, coldStorage)}
SETTINGS ${tableSettings}${policySetting(coldStorage)}`;
}

/** The select that turns base rows into rows of a rollup, all of them or those that a condition on `r` names. */
export function selectRollup(rollup: Rollup, condition = ""): string {
  return `SELECT ${rollup.timeOf} AS ${rollup.time},
  ${rollupDimensions.map((name) => `r.${name} AS ${name}`).join(", ")},
${rollupSums.map(({ name, of }) => `  ${of} AS ${name}`).join(",\n")}
FROM usage_records AS r${condition === "" ? "" : `\nWHERE ${condition}`}
GROUP BY ${rollup.time}, ${rollupDimensions.map((name) => `r.${name}`).join(", ")}`;
}

/** Each rollup is filled from the base rows themselves, inside their insert and under its token. */
export function createRollupFill(rollup: Rollup): string {
  return `CREATE MATERIALIZED VIEW IF NOT EXISTS ${rollup.table}_fill TO ${rollup.table} AS
${selectRollup(rollup)}`;
}
