/** Reads the newest totals of cumulative streams back from the tables: what the next total of each is compared with. */

import type { Store } from "../../store/store.ts";
import type { StreamTotal } from "./metric-rows.ts";

interface Row {
  readonly stream_series: string;
  readonly started_us: string;
  readonly at_us: string;
  readonly value: number | string;
  readonly count: string;
}

/** Totals by stream, those heard of last at the end; at most `limit`, of points since `sinceUs`. */
export async function readStreamTotals(
  store: Pick<Store, "query">,
  sinceUs: number,
  limit: number,
): Promise<(readonly [stream: string, total: StreamTotal])[]> {
  const newest = (table: string, kind: string, value: string, count: string) => `
    SELECT series AS stream_series, toUnixTimestamp64Micro(started) AS started_us,
      toUnixTimestamp64Micro(max(ts)) AS at_us, toFloat64(argMax(${value}, ts)) AS value, ${count} AS count
    FROM ${table} WHERE ${kind} = 'cumulative' AND ts > fromUnixTimestamp64Micro({since:Int64})
    GROUP BY stream_series, started_us`;
  const rows = await store.query<Row>(
    `SELECT * FROM (${newest("token_claims", "temporality", "total_tokens", "argMax(total_calls, ts)")}
     UNION ALL ${newest("resource_points", "kind", "value", "toInt64(0)")})
     ORDER BY at_us DESC LIMIT {limit:UInt32}`,
    { params: { since: sinceUs, limit } },
  );
  return rows
    .map(({ stream_series: series, started_us: startedUs, at_us: atUs, value, count }) => {
      const total = { atUs: Number(atUs), value: Number(value), count: Number(count) };
      return [`${series}:${startedUs}`, total] as const;
    })
    .reverse();
}
