/** Which days of a batch are in the table: the same question for every implementation. */

import type { Store } from "./store.ts";

/** Rows of the batch by UTC day; a day without rows is absent. */
export async function countBatchDays(
  query: Store["query"],
  token: string,
  days: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const rows = await query<{ day: string; rows: string }>(
    `SELECT toString(toDate(ts)) AS day, count() AS rows FROM usage_records
     WHERE toDate(ts) IN {days:Array(Date)} AND batch = {token:String} GROUP BY day`,
    { params: { token, days } },
  );
  return new Map(rows.map(({ day, rows: count }) => [day, Number(count)]));
}
