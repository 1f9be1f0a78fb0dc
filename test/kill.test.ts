/** Nothing lost, nothing twice: kill -9 under load, with exporters that retry what was not acknowledged. */

import { afterAll, beforeAll, expect, it } from "vitest";
import { type Burnwatch, settle, sql, startBurnwatch } from "./support/burnwatch.ts";
import { type SentSpan, sendUntilStopped } from "./support/load.ts";

const kills = 5;
const exporters = 4;

let server: Burnwatch;
beforeAll(async () => {
  // Small batches, so that kills find the writer between all of its steps.
  server = await startBurnwatch({ environment: { BURNWATCH_BATCH_ROWS_MAX: "500" } });
});
afterAll(() => server.remove());

it(`keeps the multiset of (trace, span, cost) exact through ${kills} kills, and the rollups equal to it`, {
  timeout: 240_000,
}, async () => {
  const acked: SentSpan[] = [];
  const stop = new AbortController();
  const running = Array.from({ length: exporters }, () =>
    sendUntilStopped({
      tracesUrl: server.tracesUrl,
      spansPerRequest: 40,
      stop: stop.signal,
      acked: (spans) => acked.push(...spans),
    }),
  );
  for (let kill = 0; kill < kills; kill++) {
    const before = acked.length;
    await new Promise((resolve) => setTimeout(resolve, 1000 + 400 * kill));
    // On a busy machine a second may bring no answer yet; the kill shall come under load all the same.
    await expect.poll(() => acked.length, { timeout: 30_000 }).toBeGreaterThan(before);
    await server.kill();
    await server.start();
  }
  await new Promise((resolve) => setTimeout(resolve, 500));
  stop.abort();
  await Promise.all(running);
  await settle(server.apiUrl);

  const stored = await sql(
    server.apiUrl,
    "SELECT trace_id, span_id, toInt64(cost_usd * 1000000000) AS nano_usd FROM usage ORDER BY trace_id, span_id LIMIT 1000000",
  );
  const asText = (rows: readonly (readonly [unknown, unknown, unknown])[]) => rows.map((row) => row.join(" ")).sort();
  expect(asText(stored.map((row) => [row["trace_id"], row["span_id"], row["nano_usd"]]))).toEqual(
    asText(acked.map(({ traceId, spanId, nanoUsd }) => [traceId, spanId, nanoUsd])),
  );
  const total = "sum(calls) AS calls, toString(sum(cost_usd)) AS cost";
  const base = await sql(server.apiUrl, `SELECT feature, ${total} FROM usage GROUP BY feature ORDER BY feature`);
  const rollup = await sql(
    server.apiUrl,
    `SELECT feature, ${total} FROM usage_by_15m GROUP BY feature ORDER BY feature`,
  );
  expect(rollup).toEqual(base);
  expect(base.reduce((sum, row) => sum + Number(row["calls"]), 0)).toBe(acked.length);
});
