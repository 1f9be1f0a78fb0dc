/**
 * The tables of metrics. Both keep points, keyed by series and time: a set of points is the same however often and in
 * whatever order they arrive, where a minute's sum is not. What was stored twice is merged away, and reads ask `FINAL`.
 * `resource_metrics` shows the points by minute.
 */

import type { MetricRows, ResourcePoint, TokenClaim } from "../model/metric-rows.ts";
import { type ColumnType, dictionary, encodeBlock, fixedString, float64, int64 } from "./native-block.ts";
import { expiry, policySetting, type Retention } from "./schema.ts";

const settings = "ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1";
const microseconds = "DateTime64(6, 'UTC')";

const claimColumns = {
  ts: int64(microseconds, (claim) => claim.toUs),
  from_ts: int64(microseconds, (claim) => claim.fromUs),
  service: dictionary((claim) => claim.service),
  instance: dictionary((claim) => claim.instance),
  scope: dictionary((claim) => claim.scope),
  provider: dictionary((claim) => claim.provider),
  model: dictionary((claim) => claim.model),
  operation: dictionary((claim) => claim.operation),
  token_type: dictionary((claim) => claim.tokenType),
  series: fixedString(16, (claim) => claim.series),
  started: int64(microseconds, (claim) => claim.startedUs),
  tokens: int64("Int64", (claim) => claim.tokens),
  calls: int64("Int64", (claim) => claim.calls),
  total_tokens: int64("Int64", (claim) => claim.totalTokens),
  total_calls: int64("Int64", (claim) => claim.totalCalls),
  temporality: dictionary((claim) => claim.temporality),
} as const satisfies Record<string, ColumnType<TokenClaim>>;

const pointColumns = {
  ts: int64(microseconds, (point) => point.atUs),
  service: dictionary((point) => point.service),
  instance: dictionary((point) => point.instance),
  device: dictionary((point) => point.device),
  model: dictionary((point) => point.model),
  labels: dictionary((point) => point.labels),
  name: dictionary((point) => point.name),
  unit: dictionary((point) => point.unit),
  kind: dictionary((point) => point.kind),
  series: fixedString(16, (point) => point.series),
  started: int64(microseconds, (point) => point.startedUs),
  value: float64((point) => point.value),
  increase: float64((point) => point.increase),
} as const satisfies Record<string, ColumnType<ResourcePoint>>;

const codecs: Readonly<Record<string, string>> = {
  ts: "CODEC(Delta(8), ZSTD(1))",
  from_ts: "CODEC(Delta(8), ZSTD(1))",
  started: "CODEC(Delta(8), ZSTD(1))",
  value: "CODEC(Gorilla(8), ZSTD(1))",
  increase: "CODEC(Gorilla(8), ZSTD(1))",
};

interface MetricTable {
  readonly table: string;
  readonly columns: Readonly<Record<string, { readonly type: string }>>;
  readonly key: string;
}

const claimTable: MetricTable = {
  table: "token_claims",
  columns: claimColumns,
  key: "service, token_type, series, started, ts",
};
const pointTable: MetricTable = {
  table: "resource_points",
  columns: pointColumns,
  key: "name, service, instance, series, started, ts",
};

/** Both are kept as long as single calls. */
export function createMetricTables({ rawRetentionDays, coldStorage }: Retention): readonly string[] {
  const tables = [claimTable, pointTable].map(({ table, columns, key }) => {
    const lines = Object.entries(columns).map(
      ([name, { type }]) => `  ${name} ${type} ${codecs[name] ?? "CODEC(ZSTD(1))"}`,
    );
    return `CREATE TABLE IF NOT EXISTS ${table} (
${lines.join(",\n")}
) ENGINE = ReplacingMergeTree
PARTITION BY toDate(ts)
ORDER BY (${key})
TTL ${expiry("ts", `INTERVAL ${rawRetentionDays} DAY`, coldStorage)}
SETTINGS ${settings}${policySetting(coldStorage)}`;
  });
  return [...tables, createResourceMetricsView];
}

/** Of a counter `sum` is what it grew by in that minute; of a gauge it is there for the mean, `sum / count`. */
export const createResourceMetricsView = `CREATE OR REPLACE VIEW resource_metrics AS
SELECT toStartOfMinute(toDateTime(p.ts, 'UTC')) AS minute, p.service AS service, p.instance AS instance,
  p.device AS device, p.model AS model, p.labels AS labels, p.name AS name, p.unit AS unit, p.kind AS kind,
  min(p.value) AS min, max(p.value) AS max, sum(p.increase) AS sum, count() AS count, argMax(p.value, p.ts) AS last
FROM resource_points AS p FINAL
GROUP BY minute, p.service, p.instance, p.device, p.model, p.labels, p.name, p.unit, p.kind, p.series`;

/** Points may be as late as the retention allows, a day each: no limit of the engine's own may refuse their insert. */
export const metricInsertSettings = { async_insert: 0, max_partitions_per_insert_block: "0" } as const;

/** One insert of rows of metrics. */
export interface MetricInsert {
  readonly table: string;
  readonly columns: readonly string[];
  /** Names and types, as the table function `file` takes them. */
  readonly structure: string;
  /** A Native block. */
  readonly block: Buffer;
}

/** The inserts of these rows, at most one per table. Repeating them changes nothing that is read. */
export async function metricInserts({ claims, points }: MetricRows): Promise<readonly MetricInsert[]> {
  const inserts: MetricInsert[] = [];
  if (claims.length > 0) inserts.push(await insertOf(claimTable.table, claimColumns, claims));
  if (points.length > 0) inserts.push(await insertOf(pointTable.table, pointColumns, points));
  return inserts;
}

async function insertOf<Row>(
  table: string,
  typed: Readonly<Record<string, ColumnType<Row>>>,
  rows: readonly Row[],
): Promise<MetricInsert> {
  const columns = Object.entries(typed).map(([name, column]) => ({ name, ...column }));
  return {
    table,
    columns: columns.map(({ name }) => name),
    structure: columns.map(({ name, type }) => `${name} ${type}`).join(", "),
    block: await encodeBlock(columns, rows),
  };
}
