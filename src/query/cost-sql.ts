/** The statement behind an attribution question: one part per segment of its time range, added up. */

import { costParts } from "../store/cost-split.ts";
import { rollup1d, rollup15m, rollupSums } from "../store/schema.ts";
import { groupCostUsd } from "../store/views.ts";
import type { Dimension } from "./dimensions.ts";
import type { Source, TimeSegment } from "./time-segments.ts";

export interface CostQuestion {
  readonly by: readonly Dimension[];
  readonly where: readonly { readonly dimension: Dimension; readonly value: string }[];
  /** Disjoint, and together the whole range. */
  readonly segments: readonly TimeSegment[];
  readonly limit: number;
  /** Whether the sums of the costs' parts are wanted, too. */
  readonly split: boolean;
}

/** Sums that an answer is made of; the rollup holds each under the name it has here. */
const sumNames = [
  "calls",
  "unpriced_calls",
  "priced_records",
  "input_uncached_tokens",
  "cache_read_tokens",
  "cache_write_5m_tokens",
  "cache_write_1h_tokens",
  "output_visible_tokens",
  "reasoning_tokens",
  "cost_usd",
] as const;
const partNames: readonly string[] = costParts.map(({ name }) => name);

/** Totals over the segments' sums `s`. */
const totals = (parts: readonly string[]) => `sum(s.calls_) AS calls,
  sum(s.input_uncached_tokens_ + s.cache_read_tokens_ + s.cache_write_5m_tokens_ + s.cache_write_1h_tokens_) AS input_tokens,
  sum(s.cache_read_tokens_) AS cache_read_tokens,
  sum(s.cache_write_5m_tokens_ + s.cache_write_1h_tokens_) AS cache_write_tokens,
  sum(s.output_visible_tokens_ + s.reasoning_tokens_) AS output_tokens,
  sum(s.reasoning_tokens_) AS reasoning_tokens,
  sum(s.unpriced_calls_) AS unpriced_calls,
  ${parts.map((name) => `sum(s.${name}_) AS ${name}, `).join("")}${groupCostUsd({ cost: "sum(s.cost_usd_)", priced: "sum(s.priced_records_)", unpriced: "sum(s.unpriced_calls_)" })} AS cost_usd`;

/** The statement and the values of its parameters. Every value in 64 bits or decimal arrives as a string. */
export function costSql({ by, where, segments, limit, split }: CostQuestion): {
  sql: string;
  params: Record<string, string>;
} {
  const keys = by.map((_, index) => `key${index}`);
  const groupBy = keys.length === 0 ? "" : `GROUP BY ${keys.join(", ")}`;
  const wanted = split ? partNames : [];
  const names = [...sumNames, ...wanted];
  const parts = segments.map((segment) => {
    const { table, time, sumOf } = sources[segment.source];
    const sums = names.map((name) => `${sumOf(name)} AS ${name}_`);
    const columns = by.map((dimension, index) => `${columnOf(dimension, time)} AS key${index}`);
    const filters = where.map(({ dimension }, index) => `${textOf(dimension, time)} = {where${index}:String}`);
    return `SELECT ${[...columns, ...sums].join(", ")}
FROM ${table} AS r WHERE ${[rangeOf(segment), ...filters].join(" AND ")} ${groupBy}`;
  });
  const shown = by.map((dimension, index) => `${shownAs(dimension, `s.key${index}`)} AS ${dimension}`);
  const sql = `SELECT ${[...shown, totals(wanted)].join(", ")}
FROM (${parts.join("\nUNION ALL\n")}) AS s
${keys.length === 0 ? "" : `GROUP BY ${keys.map((key) => `s.${key}`).join(", ")}`}
ORDER BY isNull(cost_usd), cost_usd DESC, calls DESC${keys.map((key) => `, s.${key}`).join("")} LIMIT ${limit}`;
  return { sql, params: Object.fromEntries(where.map(({ value }, index) => [`where${index}`, value])) };
}

const ofRecords: ReadonlyMap<string, string> = new Map(rollupSums.map(({ name, of }) => [name, of]));
const ofRollup = (name: string) => `sum(r.${name})`;

const sources: Readonly<Record<Source, { table: string; time: string; sumOf: (name: string) => string }>> = {
  records: { table: "usage_records", time: "r.ts", sumOf: (name) => ofRecords.get(name) ?? ofRollup(name) },
  slots: { table: rollup15m.table, time: `r.${rollup15m.time}`, sumOf: ofRollup },
  days: { table: rollup1d.table, time: `r.${rollup1d.time}`, sumOf: ofRollup },
};

/** The time range in the type of the segment's own column, so that partitions and keys are skipped by it. */
function rangeOf({ source, fromMs, toMs }: TimeSegment): string {
  const at = (ms: number) => {
    if (source === "records") return `fromUnixTimestamp64Milli(${ms}, 'UTC')`;
    if (source === "slots") return `toDateTime(${ms / 1000}, 'UTC')`;
    return `toDate('${new Date(ms).toISOString().slice(0, 10)}')`;
  };
  const { time } = sources[source];
  return `${time} >= ${at(fromMs)} AND ${time} < ${at(toMs)}`;
}

function columnOf(dimension: Dimension, time: string): string {
  if (dimension === "day") return `toDate(${time})`;
  if (dimension === "hour") return `toStartOfHour(toDateTime(${time}, 'UTC'))`;
  return `r.${dimension}`;
}

/** A dimension as people write it: times in RFC 3339. */
function shownAs(dimension: Dimension, column: string): string {
  if (dimension === "day") return `toString(${column})`;
  return dimension === "hour" ? `formatDateTime(${column}, '%FT%H:00:00Z', 'UTC')` : column;
}

function textOf(dimension: Dimension, time: string): string {
  return shownAs(dimension, columnOf(dimension, time));
}
