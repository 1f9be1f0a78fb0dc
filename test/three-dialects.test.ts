/**
 * One and the same total: the recorded Claude Code calls, told in three dialects with sums around them and second tellings
 * beside them, in any order, with exports repeated and a kill -9 in their middle, against a sum straight from the CSV.
 */

import { afterAll, beforeAll, expect, it } from "vitest";
import { seededRandom } from "../src/store/sample-records.ts";
import { type Burnwatch, settle, sql, startBurnwatch } from "./support/burnwatch.ts";
import { postUntilAcked } from "./support/load.ts";
import { recordedSessions, type Total, totalOf } from "./three-dialects/sessions.ts";
import { type ScopedSpan, toldSession } from "./three-dialects/tell.ts";
import { tellings } from "./three-dialects/tellings.ts";

const spansPerRequest = 2000;
/** Of the requests, those that are sent once more. */
const repeatedShare = 0.2;
const exportersAtOnce = 4;
const random = seededRandom(5);
const sessions = recordedSessions();
const expected = totalOf(sessions);

let server: Burnwatch;
beforeAll(async () => {
  server = await startBurnwatch();
});
afterAll(() => server.remove());

it("three dialects, sums, second tellings, repeats and a kill: one total, that of the CSV", {
  timeout: 150_000,
}, async () => {
  const endMs = Date.now() - 60_000;
  const requests = tellings.flatMap((telling) =>
    // Most parents come after their calls, as they end after them; where a session is cut, in any order.
    requestsOf(
      telling.dialect,
      sessions.flatMap((session) => toldSession(session, telling, endMs)),
    ),
  );
  const queue = [...requests, ...requests.filter(() => random() < repeatedShare)].sort(() => random() - 0.5);
  const killAt = Math.floor(queue.length / 2);
  const exporter = async () => {
    for (let body = queue.pop(); body !== undefined; body = queue.pop()) {
      if (queue.length === killAt) await restart();
      await postUntilAcked(server.tracesUrl, body);
    }
  };
  await Promise.all(Array.from({ length: exportersAtOnce }, exporter));
  await settle(server.apiUrl);
  // Calls that only wrappers tell of are billed when their trace was quiet for half a minute.
  await expect.poll(heldTraces, { interval: 500, timeout: 60_000 }).toBe(0);
  await settle(server.apiUrl);
  const totals = Object.fromEntries(tellings.map(({ dialect }) => [dialect, expected]));
  expect(await totalsIn("usage")).toEqual(totals);
  expect(await totalsIn("usage_by_15m")).toEqual(totals);
});

async function restart(): Promise<void> {
  await server.kill();
  await server.start();
}

/** As the exporters of one application batch them: its tenant is on the resource. */
function requestsOf(tenant: string, spans: readonly ScopedSpan[]): readonly string[] {
  const resource = { attributes: [{ key: "burnwatch.tenant", value: { stringValue: tenant } }] };
  return Array.from({ length: Math.ceil(spans.length / spansPerRequest) }, (_, index) => {
    const some = spans.slice(index * spansPerRequest, (index + 1) * spansPerRequest);
    const scopeSpans = [...Map.groupBy(some, ({ scope }) => scope)].map(([scope, own]) => {
      const at = scope.lastIndexOf("@");
      const [name, version] = at > 0 ? [scope.slice(0, at), scope.slice(at + 1)] : [scope, ""];
      return { scope: { name, version }, spans: own.map(({ span }) => span) };
    });
    return JSON.stringify({ resourceSpans: [{ resource, scopeSpans }] });
  });
}

async function heldTraces(): Promise<number> {
  const text = await (await fetch(`${server.apiUrl}/metrics`)).text();
  return Number(/^burnwatch_held_traces (\d+)$/m.exec(text)?.[1] ?? Number.NaN);
}

async function totalsIn(table: string): Promise<Record<string, Total>> {
  const rows = await sql<Record<string, string>>(
    server.apiUrl,
    `SELECT tenant, sum(calls) AS calls, sum(input_tokens) AS input_tokens, sum(cache_read_tokens) AS cache_read_tokens,
       sum(output_tokens) AS output_tokens, toString(toInt128(sum(cost_usd) * 1000000000)) AS nano_usd
     FROM ${table} GROUP BY tenant`,
  );
  return Object.fromEntries(
    rows.map(({ tenant, nano_usd = "", ...sums }) => {
      const numbers = Object.fromEntries(Object.entries(sums).map(([name, value]) => [name, Number(value)]));
      return [tenant, { ...numbers, nano_usd }];
    }),
  ) as Record<string, Total>;
}
