/** A year of calls in one go, shuffled, with a kill -9 in the middle: every day exact, parts bounded, a repeat changes nothing. */

import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Random, seededRandom } from "../src/ingest/otlp-random.ts";
import { openEmbeddedStore } from "../src/store/embedded.ts";
import { type ChaosSpan, chaosSpan, requestOf } from "./chaos/chaos-span.ts";
import { type Burnwatch, settle, sql, startBurnwatch } from "./support/burnwatch.ts";
import { postUntilAcked } from "./support/load.ts";

const days = 370;
const callsPerDay = 8;
const requests = 2;
/** DESIGN section 4: day partitions of one plan. */
const daysPerPlanMax = 20;
const dayMs = 86_400_000;
const random = seededRandom(20_261);

interface DaySums {
  readonly day: string;
  readonly calls: string;
  readonly input: string;
  readonly output: string;
  readonly nano_usd: string;
}

interface BackfilledCall {
  readonly day: string;
  readonly span: ChaosSpan;
}

let server: Burnwatch;
beforeAll(async () => {
  const environment = { BURNWATCH_RAW_RETENTION_DAYS: "400", BURNWATCH_ROLLUP_RETENTION_MONTHS: "15" };
  server = await startBurnwatch({ environment });
});
afterAll(() => server.remove());

it(`stores ${days * callsPerDay} calls of ${days} days sent in one burst exactly, through a kill`, {
  timeout: 180_000,
}, async () => {
  const calls = yearOfCalls();
  const sending = send(calls);
  // Some of it is stored, most of it is not.
  await expect.poll(storedCalls, { interval: 20, timeout: 60_000 }).toBeGreaterThan(0);
  await server.kill();
  await server.start();
  expect(await storedCalls()).toBeLessThan(calls.length);
  await sending;
  await settle(server.apiUrl);
  await expectExact(calls);
  const plans = await daysOfPlans();

  await send(calls);
  await settle(server.apiUrl);
  await expectExact(calls);
  expect(await daysOfPlans()).toEqual(plans);

  await server.stop();
  expect(Math.max(...plans.values())).toBeLessThanOrEqual(daysPerPlanMax);
  const partsMax = [...plans.values()].reduce((sum, count) => sum + count, 0);
  // Each request may be a step of its own, and each step is cut into as few plans as the days allow.
  expect(plans.size).toBeLessThanOrEqual(requests * (Math.ceil(days / daysPerPlanMax) + 1));
  const parts = await partsByTable();
  for (const table of ["usage_records", "usage_rollup_15m"]) {
    expect(parts.get(table)).toBeGreaterThanOrEqual(days);
    expect(parts.get(table)).toBeLessThanOrEqual(partsMax);
  }
  // A plan of 20 days touches at most two months.
  expect(parts.get("usage_rollup_1d")).toBeLessThanOrEqual(2 * plans.size);
});

/** Some calls on every day, none near midnight: the day of a call must not depend on how long it took. */
function yearOfCalls(): readonly BackfilledCall[] {
  const today = Math.floor(Date.now() / dayMs) * dayMs;
  return Array.from({ length: days * callsPerDay }, (_, index) => {
    const startOfDay = today - (1 + Math.floor(index / callsPerDay)) * dayMs;
    const atMs = startOfDay + dayMs / 4 + random(dayMs / 2);
    const [producer, tenant] = ["", "backfill"];
    const amounts = { input: 1 + random(4000), output: 1 + random(400) };
    const span = chaosSpan({ producer, sequence: 0, tenant, feature: `f${random(3)}`, atMs, ...amounts }, random);
    return { day: new Date(startOfDay).toISOString().slice(0, 10), span };
  });
}

/** All at once, each request with calls of the whole year, every time in other batches. */
async function send(calls: readonly BackfilledCall[]): Promise<void> {
  const spans = shuffled(calls, random).map(({ span }) => span);
  const size = Math.ceil(spans.length / requests);
  const bodies = Array.from({ length: requests }, (_, index) =>
    requestOf(spans.slice(index * size, (index + 1) * size)),
  );
  await Promise.all(bodies.map((body) => postUntilAcked(server.tracesUrl, body)));
}

function shuffled<Item>(items: readonly Item[], from: Random): readonly Item[] {
  const keyed = items.map((item) => ({ item, at: from(1 << 30) }));
  return keyed.sort((a, b) => a.at - b.at).map(({ item }) => item);
}

async function expectExact(calls: readonly BackfilledCall[]): Promise<void> {
  const expected = expectedSums(calls);
  expect(await storedCalls()).toBe(calls.length);
  const distinct = "SELECT toUInt32(uniqExact(trace_id, span_id)) AS spans FROM usage";
  expect(await sql(server.apiUrl, distinct)).toEqual([{ spans: calls.length }]);
  expect(await daySums("usage", "day")).toEqual(expected);
  expect(await daySums("usage_by_15m", "toDate(slot)")).toEqual(expected);
  expect(await daySums("usage_by_day", "day")).toEqual(expected);
}

function expectedSums(calls: readonly BackfilledCall[]): readonly DaySums[] {
  const byDay = Map.groupBy(calls, ({ day }) => day);
  return [...byDay]
    .map(([day, own]) => {
      const sum = (amount: (span: ChaosSpan) => bigint) =>
        String(own.reduce((total, { span }) => total + amount(span), 0n));
      return {
        day,
        calls: String(own.length),
        input: sum(({ input }) => BigInt(input)),
        output: sum(({ output }) => BigInt(output)),
        nano_usd: sum(({ costUsd }) => BigInt(costUsd.replace(".", ""))),
      };
    })
    .sort((a, b) => a.day.localeCompare(b.day));
}

function daySums(from: string, day: string): Promise<readonly DaySums[]> {
  return sql<DaySums>(
    server.apiUrl,
    `SELECT toString(${day}) AS day, toString(sum(calls)) AS calls, toString(sum(input_tokens)) AS input,
       toString(sum(output_tokens)) AS output, toString(toInt64(sum(cost_usd) * 1000000000)) AS nano_usd
     FROM ${from} GROUP BY day ORDER BY day`,
  );
}

async function storedCalls(): Promise<number> {
  const [row] = await sql<{ stored: string }>(server.apiUrl, "SELECT count() AS stored FROM usage");
  return Number(row?.stored);
}

/** Day partitions of each plan: its token is a column of the row. */
async function daysOfPlans(): Promise<ReadonlyMap<string, number>> {
  const rows = await sql<{ batch: string; days: string }>(
    server.apiUrl,
    "SELECT batch, uniqExact(toDate(ts)) AS days FROM usage_records GROUP BY batch ORDER BY batch",
  );
  return new Map(rows.map(({ batch, days: count }) => [batch, Number(count)]));
}

async function partsByTable(): Promise<ReadonlyMap<string, number>> {
  const store = await openEmbeddedStore({ directory: join(server.directory, "clickhouse") });
  try {
    const rows = await store.query<{ table: string; parts: string }>(
      "SELECT table, count() AS parts FROM system.parts WHERE active AND database = 'burnwatch' GROUP BY table",
    );
    return new Map(rows.map(({ table, parts }) => [table, Number(parts)]));
  } finally {
    await store.close();
  }
}
