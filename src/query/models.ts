/** Which models were called, and how each was priced: by which source and list, since when, and what is not priced. */

import { formatUsd, parseUsd } from "../model/money.ts";
import { ratesOfTagLength } from "../model/price-tag.ts";
import type { QueryLimits, Store } from "../store/store.ts";

export interface ModelsRequest {
  /** Unix milliseconds. */
  readonly sinceMs: number;
  /** Calls of this tenant only. */
  readonly tenant?: string | undefined;
}

/** How some of a model's calls were priced. */
export interface ModelPrice {
  readonly status: string;
  /** `contract`, `own`, `bundled`, `reported`, or null where no price was applied. */
  readonly source: string | null;
  readonly version: string | null;
  /** From when the list has this price; null where it has had no other. */
  readonly listed_since: string | null;
  /** RFC 3339 of the first call of the range that was priced so. */
  readonly first_call: string;
  readonly calls: number;
  readonly cost_usd: string | null;
}

export interface ModelRow {
  readonly provider: string;
  readonly model: string;
  readonly calls: number;
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly cost_usd: string | null;
  readonly unpriced_calls: number;
  /** Tokens, in and out, of the calls without a price. */
  readonly unpriced_tokens: number;
  /** Of calls whose emitter reported a cost of its own: its sum, ours, and (its - ours) / ours; null where there are none. */
  readonly reported_cost_usd: string | null;
  readonly reported_against_usd: string | null;
  readonly divergence: number | null;
  /** Calls whose emitter's cost differs from ours by more than a twentieth. */
  readonly diverging_calls: number;
  /** The newest first. */
  readonly prices: readonly ModelPrice[];
}

type Row = Readonly<Record<string, string | null>>;

const limits: QueryLimits = { seconds: 60, rows: 100_000, memoryBytes: 4_000_000_000 };

/** One row for each provider and model, those with unpriced tokens first, then the dearest. */
export async function models(store: Store, { sinceMs, tenant }: ModelsRequest): Promise<readonly ModelRow[]> {
  const rows = await store.query<Row>(
    `SELECT r.provider AS provider, r.model AS model, r.cost_status AS cost_status,
       substring(r.price_tag, ${ratesOfTagLength + 2}) AS price,
       formatDateTime(min(r.ts), '%FT%TZ', 'UTC') AS first_call, sum(toInt64(r.calls)) AS calls,
       sum(r.input_uncached_tokens + r.cache_read_tokens + r.cache_write_5m_tokens + r.cache_write_1h_tokens) AS input_tokens,
       sum(r.output_visible_tokens + r.reasoning_tokens) AS output_tokens,
       sum(toInt64(r.unpriced_calls)) AS unpriced_calls, sum(r.cost_usd) AS cost_usd,
       sumIf(r.cost_reported_usd, isNotNull(r.cost_usd)) AS reported_usd,
       sumIf(r.cost_usd, isNotNull(r.cost_reported_usd)) AS against_usd,
       sumIf(toInt64(r.calls), has(r.flags, 'cost_diverges')) AS diverging_calls
     FROM usage_records AS r
     WHERE r.ts >= fromUnixTimestamp64Milli(${Math.floor(sinceMs)}, 'UTC') AND r.calls != 0
       ${tenant === undefined ? "" : "AND r.tenant = {tenant:String}"}
     GROUP BY provider, model, cost_status, price ORDER BY provider, model, first_call DESC`,
    { limits, ...(tenant === undefined ? {} : { params: { tenant } }) },
  );
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    // What corrections took back as a whole was not priced so after all.
    if (Number(row["calls"]) === 0) continue;
    const key = JSON.stringify([row["provider"], row["model"]]);
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()].map(modelRow).sort(byNeed);
}

function modelRow(rows: readonly Row[]): ModelRow {
  const count = (name: string, of = rows) => of.reduce((sum, row) => sum + Number(row[name] ?? 0), 0);
  const dollars = (name: string) => {
    const known = rows.flatMap((row) => (typeof row[name] === "string" ? [parseUsd(row[name])] : []));
    return known.length === 0 ? null : known.reduce((sum, each) => sum + each, 0n);
  };
  const unpriced = rows.filter((row) => Number(row["unpriced_calls"]) > 0);
  const [cost, reported, against] = [dollars("cost_usd"), dollars("reported_usd"), dollars("against_usd")];
  return {
    provider: rows[0]?.["provider"] ?? "",
    model: rows[0]?.["model"] ?? "",
    calls: count("calls"),
    input_tokens: count("input_tokens"),
    output_tokens: count("output_tokens"),
    cost_usd: cost === null ? null : formatUsd(cost),
    unpriced_calls: count("unpriced_calls"),
    unpriced_tokens: count("input_tokens", unpriced) + count("output_tokens", unpriced),
    reported_cost_usd: reported === null ? null : formatUsd(reported),
    reported_against_usd: reported === null || against === null ? null : formatUsd(against),
    divergence:
      reported === null || against === null || against === 0n ? null : Number(reported - against) / Number(against),
    diverging_calls: count("diverging_calls"),
    prices: rows.map(modelPrice),
  };
}

function modelPrice(row: Row): ModelPrice {
  const [source = "", version = "", since = ""] = (row["price"] ?? "").split(" ");
  const cost = row["cost_usd"] ?? null;
  return {
    status: row["cost_status"] ?? "",
    source: source || null,
    version: version || null,
    listed_since: since || null,
    first_call: row["first_call"] ?? "",
    calls: Number(row["calls"]),
    cost_usd: cost === null ? null : formatUsd(parseUsd(cost)),
  };
}

function byNeed(left: ModelRow, right: ModelRow): number {
  return (
    right.unpriced_tokens - left.unpriced_tokens ||
    Number(right.cost_usd ?? 0) - Number(left.cost_usd ?? 0) ||
    right.calls - left.calls
  );
}
