/** What the suite over the stores compares: sums as the tables have them, and as the records themselves have them. */

import { expect } from "vitest";
import { formatUsd } from "../model/money.ts";
import { totalInput, totalOutput } from "../model/usage.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import type { Store } from "./store.ts";

/** What the base, the rollup and the views say of one tenant; equal numbers in every place, or the test fails. */
export async function sumsOf(store: Store, tenant: string) {
  const sums =
    "toString(sum(calls)) AS calls, toString(sum(unpriced_calls)) AS unpriced, toString(sum(cost_usd)) AS cost";
  const ask = async (sql: string) => {
    const [row = {}] = await store.query<Record<string, string>>(`${sql} WHERE tenant = {tenant:String}`, {
      params: { tenant },
    });
    // A plain sum over nothing but nulls is null; the rollup has no nulls to say so with.
    return { ...row, rows: Number(row["rows"] ?? 0), cost: Number(row["cost"] ?? 0) === 0 ? "0" : row["cost"] };
  };
  const base = await ask(
    `SELECT ${sums}, toString(count()) AS rows, toString(sum(input_uncached_tokens + cache_read_tokens +
      cache_write_5m_tokens + cache_write_1h_tokens)) AS input, toString(sum(output_visible_tokens + reasoning_tokens))
      AS output FROM usage_records`,
  );
  const shared = { ...base, rows: 0 };
  const tokens = "toString(sum(input_tokens)) AS input, toString(sum(output_tokens)) AS output";
  for (const view of ["usage", "usage_by_15m", "usage_by_hour", "usage_by_day"])
    expect(await ask(`SELECT ${sums}, ${tokens} FROM ${view}`), view).toEqual(shared);
  return base;
}

/** The same sums, from the records themselves. */
export function sumsOfRecords(records: readonly UsageRecord[]) {
  const cost = records.reduce((sum, record) => sum + BigInt(record.costNanoUsd ?? 0), 0n);
  return {
    rows: records.length,
    calls: String(records.reduce((sum, record) => sum + record.calls, 0)),
    unpriced: String(records.reduce((sum, record) => sum + (record.costNanoUsd === null ? record.calls : 0), 0)),
    cost: cost === 0n ? "0" : formatUsd(cost).replace(/\.?0+$/, ""),
    input: String(records.reduce((sum, { usage }) => sum + totalInput(usage), 0)),
    output: String(records.reduce((sum, { usage }) => sum + totalOutput(usage), 0)),
  };
}

/** A correction of a record: its amounts negated. */
export function retracted(record: UsageRecord): UsageRecord {
  const negated = Object.fromEntries(Object.entries(record.usage).map(([name, count]) => [name, -count || 0]));
  return {
    ...record,
    usage: negated as unknown as UsageRecord["usage"],
    images: -record.images || 0,
    audioMs: -record.audioMs || 0,
    calls: record.calls === 1 ? -1 : 0,
    costNanoUsd: record.costNanoUsd === null ? null : -record.costNanoUsd || 0,
    revision: record.revision + 1,
  };
}
