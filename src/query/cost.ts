/**
 * Who spent what: sums of usage and dollars by any dimensions over any time range. Rollups answer where they can and
 * records do the rest; both give the same numbers, to the nano-dollar.
 */

import { formatUsd, parseUsd } from "../model/money.ts";
import { costParts } from "../store/cost-split.ts";
import type { QueryLimits, Store } from "../store/store.ts";
import { costSql } from "./cost-sql.ts";
import { type Dimension, isInRollup, parseDimensions } from "./dimensions.ts";
import { type Source, timeSegments } from "./time-segments.ts";

export interface CostRequest {
  /** Names of dimensions, checked here; empty for one total. */
  readonly by: readonly string[];
  /** Unix milliseconds, `sinceMs` inclusive to `untilMs` exclusive. */
  readonly sinceMs: number;
  readonly untilMs: number;
  /** Equality with each value; an empty string asks for records without one. */
  readonly where?: Readonly<Record<string, string>>;
  /** Rows at most, the dearest first. */
  readonly limit?: number;
  /** False leaves out what the costs are made of, which takes a quarter to a half of the time; by default it is there. */
  readonly split?: boolean;
}

/** Counts are exact up to 2^53, and the nearest JS number beyond; dollars are exact always. */
export interface CostTotals {
  readonly calls: number;
  /** All input, cached included. */
  readonly input_tokens: number;
  readonly cache_read_tokens: number;
  readonly cache_write_tokens: number;
  /** All output, reasoning included. */
  readonly output_tokens: number;
  readonly reasoning_tokens: number;
  /** Dollars of the priced calls with nine decimals; null when calls are unpriced and none is priced. */
  readonly cost_usd: string | null;
  readonly unpriced_calls: number;
}

/** What a cost is made of, each null where the cost is; they sum to it, to the nano-dollar. */
export interface CostSplit {
  readonly cost_input_usd: string | null;
  readonly cost_cache_read_usd: string | null;
  readonly cost_cache_write_usd: string | null;
  readonly cost_output_usd: string | null;
  readonly cost_reasoning_usd: string | null;
  /** By call, image or second, a share of a fixed cost, what an emitter reported itself: all that is no rate by token. */
  readonly cost_other_usd: string | null;
}

/** A group: its dimensions, null where records have none, and its totals. */
export type CostRow = { readonly [name in Dimension]?: string | null } & CostTotals & Partial<CostSplit>;

const limitDefault = 100;
const limitMax = 10_000;
const queryLimits: QueryLimits = { seconds: 30, rows: limitMax, memoryBytes: 4_000_000_000 };

/**
 * The groups of a request, by falling cost.
 * @throws UnknownDimensionError for a name in `by` or `where` that is no dimension.
 */
export async function cost(store: Store, request: CostRequest): Promise<CostRow[]> {
  return costFrom(store, request, coarsestSource(request));
}

/** The same from tables of a given grain or finer; only tests and benches ask for less than the request allows. */
export async function costFrom(store: Store, request: CostRequest, coarsest: Source): Promise<CostRow[]> {
  const by = parseDimensions(request.by);
  const where = Object.entries(request.where ?? {}).map(([name, value]) => {
    const [dimension] = parseDimensions([name]);
    return { dimension: dimension as Dimension, value };
  });
  const range = { fromMs: Math.floor(request.sinceMs), toMs: Math.floor(request.untilMs) };
  const { split = true } = request;
  const limit = Math.min(Math.max(1, Math.floor(request.limit ?? limitDefault)), limitMax);
  const { sql, params } = costSql({ by, where, segments: timeSegments(range, coarsest), limit, split });
  const rows = await store.query<Readonly<Record<string, string | null>>>(sql, { params, limits: queryLimits });
  return rows.map((row) => readRow(row, by, split));
}

/** Days where no hour and nothing but the rollups' dimensions are asked for; else slots, else the records. */
function coarsestSource(request: CostRequest): Source {
  const asked = parseDimensions([...request.by, ...Object.keys(request.where ?? {})]);
  if (!asked.every(isInRollup)) return "records";
  return asked.includes("hour") ? "slots" : "days";
}

function readRow(row: Readonly<Record<string, string | null>>, by: readonly Dimension[], split: boolean): CostRow {
  const group = by.map((dimension) => [dimension, row[dimension] === "" ? null : row[dimension]]);
  const count = (name: string) => Number(row[name]);
  const cost = row["cost_usd"] ?? null;
  const nanoUsd = cost === null ? null : parseUsd(cost);
  return {
    ...Object.fromEntries(group),
    calls: count("calls"),
    input_tokens: count("input_tokens"),
    cache_read_tokens: count("cache_read_tokens"),
    cache_write_tokens: count("cache_write_tokens"),
    output_tokens: count("output_tokens"),
    reasoning_tokens: count("reasoning_tokens"),
    cost_usd: nanoUsd === null ? null : formatUsd(nanoUsd),
    unpriced_calls: count("unpriced_calls"),
    ...(split ? splitOf(row, nanoUsd) : {}),
  };
}

/** The parts that the store sums up, and what they leave of the whole. */
function splitOf(row: Readonly<Record<string, string | null>>, nanoUsd: bigint | null): CostSplit {
  const parts = costParts.map(({ name, shown }) => ({ shown, nano: BigInt(row[name] ?? 0) }));
  const other = (nanoUsd ?? 0n) - parts.reduce((sum, { nano }) => sum + nano, 0n);
  const all = [...parts, { shown: "cost_other_usd", nano: other }];
  return Object.fromEntries(
    all.map(({ shown, nano }) => [shown, nanoUsd === null ? null : formatUsd(nano)]),
  ) as unknown as CostSplit;
}
