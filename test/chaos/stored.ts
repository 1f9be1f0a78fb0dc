/** Asks the running server what it has stored, and whether every rollup says the same as the rows. */

import type { StoredSpan } from "./ledger.ts";

/** One question in SQL. */
export type Ask = <Row>(sql: string) => Promise<readonly Row[]>;

/** The base row's value for the time column of each rollup view. */
const rollupTimes: Readonly<Record<string, readonly [column: string, ofBase: string]>> = {
  usage_by_15m: ["slot", "toStartOfFifteenMinutes(toDateTime(ts, 'UTC'))"],
  usage_by_hour: ["hour", "toStartOfHour(toDateTime(ts, 'UTC'))"],
  usage_by_day: ["day", "toDate(ts)"],
};

/**
 * Every row, but those that cancel out: a wrapper whose calls came only after its trace was long quiet (the server was
 * down, or the clock jumped) was billed by right, and taken back.
 */
export async function storedSpans(ask: Ask): Promise<readonly StoredSpan[]> {
  const rows = await ask<{ identity: string; cost: string }>(
    `SELECT concat(tenant, ' ', trace_id, ' ', span_id) AS identity, ifNull(toString(toDecimal64(cost_usd, 9)), 'null') AS cost
     FROM usage WHERE (tenant, trace_id, span_id) NOT IN (
       SELECT tenant, trace_id, span_id FROM usage GROUP BY tenant, trace_id, span_id HAVING sum(calls) = 0)`,
  );
  return rows.map(({ identity, cost }) => ({ identity, costUsd: fixed(cost) }));
}

/** Groups of any rollup whose calls, tokens or cost differ from the rows', as one line each. */
export async function rollupDifferences(ask: Ask): Promise<readonly string[]> {
  const views = await ask<{ name: string }>("SHOW TABLES LIKE 'usage_by_%'");
  const differences: string[] = [];
  for (const { name } of views) {
    const [column, ofBase] = rollupTimes[name] ?? ["'all'", "'all'"];
    const [base, rollup] = [await sums(ask, "usage", ofBase), await sums(ask, name, column)];
    for (const group of new Set([...base.keys(), ...rollup.keys()])) {
      if (base.get(group) === rollup.get(group)) continue;
      differences.push(`${name} ${group}: rows ${base.get(group) ?? "none"}, rollup ${rollup.get(group) ?? "none"}`);
    }
  }
  return differences;
}

/** Sums by time, tenant, feature and model, as text that compares. */
async function sums(ask: Ask, from: string, time: string): Promise<ReadonlyMap<string, string>> {
  const rows = await ask<{ group: string; sums: string }>(
    `SELECT concat(toString(${time}), ' ', tenant, ' ', feature, ' ', model) AS group,
       concat(toString(sum(calls)), ' calls, ', toString(sum(unpriced_calls)), ' unpriced, ', toString(sum(input_tokens)),
         ' in, ', toString(sum(output_tokens)), ' out, $', toString(sum(ifNull(cost_usd, 0)))) AS sums
     FROM ${from} GROUP BY group`,
  );
  return new Map(rows.map(({ group, sums: text }) => [group, text]));
}

/** The engine drops the zeros at the end. */
function fixed(cost: string): string {
  if (cost === "null") return cost;
  const [whole = "0", fraction = ""] = cost.split(".");
  return `${whole}.${fraction.padEnd(9, "0")}`;
}
