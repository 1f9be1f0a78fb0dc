/**
 * Spend of two periods from the records, by everything a cause is looked for in. It reads no rollup: these hold no user,
 * and their quarters of an hour are longer than most incidents are when they page.
 */

import { otherUsers, SpendTable } from "../../detectors/cause/spend-table.ts";
import { costParts, partNanoUsd } from "../store/cost-split.ts";
import type { QueryLimits, Store } from "../store/store.ts";
import { type Dimension, parseDimensions } from "./dimensions.ts";

/** Unix milliseconds, from inclusive to exclusive. A call belongs to the period in which it ended, as for detectors. */
export interface SpendPeriod {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface SpendChangeQuestion {
  /** Equality with each value, by dimension; an empty string asks for records without one. */
  readonly where: Readonly<Record<string, string>>;
  readonly before: SpendPeriod;
  readonly after: SpendPeriod;
}

/** Beyond the dearest so many, users are counted together. */
const usersMax = 300;
const cellsMax = 5000;
/** An incident is explained at once or not at all: the engine gives up before anybody waits for it no longer. */
const limits: QueryLimits = { seconds: 5, rows: 50_000, memoryBytes: 1_000_000_000 };
/** Calls that take longer are found in the period of their start only by chance; partitions are skipped by start. */
const callMsMax = 3_600_000;

const endUs = "(toUnixTimestamp64Micro(r.ts) + r.duration_us)";
const nanoUsd = "reinterpretAsInt64(ifNull(r.cost_usd, toDecimal64(0, 9)))";
const retries = "if(has(r.flags, 'repeated_attempt'), toInt64(r.calls), 0)";
const names = { tenant: "tenant", feature: "feature", model: "model", promptVersion: "prompt_version" } as const;

interface Row {
  readonly tenant: string;
  readonly feature: string;
  readonly model: string;
  readonly promptVersion: string;
  readonly user: string;
  readonly later: number;
  /** Sums: calls, retries, tokens by bucket, nano-dollars by part, nano-dollars in all. */
  readonly sums: readonly string[];
}

/**
 * The table that `explainChange` reads.
 * @throws UnknownDimensionError for a name in `where` that is no dimension; the store's error when it cannot answer in time.
 */
export async function spendChange(store: Store, { where, before, after }: SpendChangeQuestion): Promise<SpendTable> {
  const { filters, params } = filtersOf(where);
  const within = [before, after].map(
    (period) => `(${endUs} >= ${us(period.fromMs)} AND ${endUs} < ${us(period.toMs)})`,
  );
  const fromMs = Math.min(before.fromMs, after.fromMs) - callMsMax;
  const toMs = Math.max(before.toMs, after.toMs);
  const condition = [
    `r.ts >= fromUnixTimestamp64Milli(${Math.floor(fromMs)}, 'UTC') AND r.ts < fromUnixTimestamp64Milli(${Math.ceil(toMs)}, 'UTC')`,
    `(${within.join(" OR ")})`,
    ...filters,
  ].join(" AND ");
  const dearest = `SELECT r.user FROM usage_records AS r WHERE ${condition} GROUP BY r.user ORDER BY sum(abs(${nanoUsd})) DESC, r.user LIMIT ${usersMax}`;
  const keys = Object.entries(names).map(([name, column]) => `r.${column} AS ${name}`);
  const sums = [
    "sum(toInt64(r.calls))",
    `sum(${retries})`,
    "sum(r.input_uncached_tokens)",
    "sum(r.cache_read_tokens)",
    "sum(r.cache_write_5m_tokens + r.cache_write_1h_tokens)",
    "sum(r.output_visible_tokens)",
    "sum(r.reasoning_tokens)",
    ...costParts.map(({ kind }) => `sum(${partNanoUsd(kind)})`),
    `sum(${nanoUsd})`,
  ];
  const sql = `SELECT ${keys.join(", ")}, if(r.user IN (${dearest}), r.user, '${otherUsers}') AS user,
  toUInt8(${endUs} >= ${us(after.fromMs)} AND ${endUs} < ${us(after.toMs)}) AS later, [${sums.join(", ")}] AS sums
FROM usage_records AS r WHERE ${condition}
GROUP BY ${Object.keys(names).join(", ")}, user, later`;
  const table = new SpendTable(cellsMax);
  for (const row of await store.query<Row>(sql, { params, limits })) add(table, row);
  return table;
}

/**
 * When the last call of these that ended in the period did end, in Unix milliseconds; null where there is none.
 * @throws as `spendChange`.
 */
export async function lastCallMs(
  store: Store,
  where: Readonly<Record<string, string>>,
  { fromMs, toMs }: SpendPeriod,
): Promise<number | null> {
  const { filters, params } = filtersOf(where);
  const condition = [
    `r.ts >= fromUnixTimestamp64Milli(${Math.floor(fromMs - callMsMax)}, 'UTC')`,
    `${endUs} >= ${us(fromMs)} AND ${endUs} < ${us(toMs)}`,
    ...filters,
  ].join(" AND ");
  const sql = `SELECT count() AS calls, max(${endUs}) AS latest_us FROM usage_records AS r WHERE ${condition}`;
  const [row] = await store.query<{ calls: string; latest_us: string }>(sql, { params, limits });
  return row === undefined || Number(row.calls) === 0 ? null : Number(row.latest_us) / 1000;
}

function filtersOf(where: Readonly<Record<string, string>>) {
  const wanted = Object.entries(where).map(([name, value]) => ({ dimension: parseDimensions([name])[0], value }));
  return {
    filters: wanted.map(({ dimension }, index) => `r.${dimension as Dimension} = {where${index}:String}`),
    params: Object.fromEntries(wanted.map(({ value }, index) => [`where${index}`, value])),
  };
}

function us(ms: number): string {
  return String(Math.round(ms * 1000));
}

function add(table: SpendTable, row: Row): void {
  const [calls, retried, input, cacheRead, cacheWrite, output, reasoning, ...money] = row.sums.map(Number);
  const [inputUsd = 0, cacheReadUsd = 0, cacheWriteUsd = 0, outputUsd = 0, reasoningUsd = 0, whole = 0] = money;
  table.add(row.later === 1 ? "after" : "before", row, {
    calls: calls ?? 0,
    retries: retried ?? 0,
    tokens: {
      input: input ?? 0,
      cacheRead: cacheRead ?? 0,
      cacheWrite: cacheWrite ?? 0,
      output: output ?? 0,
      reasoning: reasoning ?? 0,
    },
    nanoUsd: {
      input: inputUsd,
      cacheRead: cacheReadUsd,
      cacheWrite: cacheWriteUsd,
      output: outputUsd,
      reasoning: reasoningUsd,
    },
    feeNanoUsd: whole - (inputUsd + cacheReadUsd + cacheWriteUsd + outputUsd + reasoningUsd),
  });
}
