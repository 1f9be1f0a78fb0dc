/** What to re-price: a range of time, and conditions on dimensions that a record keeps. */

import { nearestName } from "../model/nearest-name.ts";
import type { Store } from "../store/store.ts";

export interface RepriceRange {
  /** Unix microseconds, from included to excluded. */
  readonly sinceUs: number;
  readonly untilUs: number;
  /** Equality with each value; an empty text asks for records without one. */
  readonly where: Readonly<Record<string, string>>;
}

/** A condition on something else than these. */
export class UnknownConditionError extends Error {
  override readonly name = "UnknownConditionError";
}

const conditions = [
  "tenant",
  "service",
  "environment",
  "feature",
  "user",
  "session",
  "agent",
  "run",
  "provider",
  "model",
  "operation",
] as const;

/** @throws UnknownConditionError for a name that is none of the dimensions a range may be cut down by. */
export function checkConditions(where: RepriceRange["where"]): void {
  for (const name of Object.keys(where)) {
    if ((conditions as readonly string[]).includes(name)) continue;
    const nearest = nearestName(name, conditions);
    const hint = nearest === undefined ? "" : ` (did you mean "${nearest}"?)`;
    throw new UnknownConditionError(
      `where: "${name}" cannot be a condition${hint}; there are ${conditions.join(", ")}`,
    );
  }
}

/** The condition in SQL on `usage_records`, with the values of its parameters. Records that nobody bills have no price. */
export function rangeSql({ sinceUs, untilUs, where }: RepriceRange): { sql: string; params: Record<string, string> } {
  const names = Object.keys(where);
  const at = (us: number) => `fromUnixTimestamp64Micro(${us}, 'UTC')`;
  const filters = names.map((name, index) => `${name} = {where${index}:String}`);
  return {
    sql: [`ts >= ${at(sinceUs)} AND ts < ${at(untilUs)} AND calls != 0`, ...filters].join(" AND "),
    params: Object.fromEntries(names.map((name, index) => [`where${index}`, where[name] ?? ""])),
  };
}

/** Rows read and corrected at once, at most about so many. */
const windowRows = 5000;
const slotUs = 15 * 60_000_000;

/** The range cut into pieces of few enough rows, ascending. Pieces without rows are left out. */
export async function windowsOf(range: RepriceRange, store: Store): Promise<readonly RepriceRange[]> {
  const { sql, params } = rangeSql(range);
  const slots = await store.query<{ slot_us: string; rows: string }>(
    `SELECT toUnixTimestamp(toStartOfFifteenMinutes(toDateTime(ts, 'UTC'))) * 1000000 AS slot_us, count() AS rows
     FROM usage_records WHERE ${sql} GROUP BY slot_us ORDER BY slot_us`,
    { params },
  );
  const windows: { sinceUs: number; untilUs: number; rows: number }[] = [];
  for (const slot of slots) {
    const [startUs, rows] = [Number(slot.slot_us), Number(slot.rows)];
    const last = windows.at(-1);
    if (last !== undefined && last.rows + rows <= windowRows) {
      last.untilUs = startUs + slotUs;
      last.rows += rows;
      continue;
    }
    const pieces = Math.min(Math.ceil(rows / windowRows), slotUs);
    const edge = (index: number) => startUs + Math.floor((slotUs * index) / pieces);
    for (let index = 0; index < pieces; index++)
      windows.push({ sinceUs: edge(index), untilUs: edge(index + 1), rows: rows / pieces });
  }
  return windows.map(({ sinceUs, untilUs }) => ({
    sinceUs: Math.max(sinceUs, range.sinceUs),
    untilUs: Math.min(untilUs, range.untilUs),
    where: range.where,
  }));
}
