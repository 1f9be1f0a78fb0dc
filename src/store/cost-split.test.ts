/** The split of a cost as the store derives it: against parts worked out here from tokens and rates. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { priceTag } from "../model/price-tag.ts";
import { noUsage } from "../model/usage.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import { openEmbeddedStore } from "./embedded.ts";
import { sampleRecords } from "./sample-records.ts";
import type { Store } from "./store.ts";
import { retracted } from "./store-sums.ts";

const directory = mkdtempSync(join(tmpdir(), "burnwatch-cost-split-"));
const day = Date.UTC(2025, 10, 20);
let store: Store;
beforeAll(async () => {
  store = await openEmbeddedStore({ directory, rawRetentionDays: 36_500 });
  await store.migrate();
});
afterAll(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

const label = { source: "own", version: "test", since: "" } as const;
// Atto-dollars a token: $2.50, $0.0375, $3.75, $6, $10 and $12.50 a million, and $0.1125 for what rounding makes of it.
const rates = {
  input: 2_500_000_000_000n,
  cacheRead: 37_500_000_000n,
  cacheWrite5m: 3_750_000_000_000n,
  cacheWrite1h: 6_000_000_000_000n,
  output: 10_000_000_000_000n,
  reasoning: 112_500_000_000n,
};

function record(tenant: string, over: Partial<UsageRecord>): UsageRecord {
  const [sample] = [...sampleRecords({ count: 1, startMs: day, spanMs: 1 })];
  if (sample === undefined) throw new Error("no sample record");
  return { ...sample, tenant, calls: 1, costStatus: "priced", priceTag: priceTag(rates, label), ...over };
}

const parts = ["input", "cache_read", "cache_write", "output", "reasoning", "other"] as const;

async function splitIn(view: string, tenant: string) {
  const sums = parts.map((part) => `toInt64(sum(cost_${part}_usd) * 1000000000) AS ${part}`).join(", ");
  const [row = {}] = await store.query<Record<string, string>>(
    `SELECT ${sums}, toInt64(sum(cost_usd) * 1000000000) AS total FROM ${view} WHERE tenant = {tenant:String}`,
    { params: { tenant } },
  );
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, Number(value)]));
}

const views = ["usage", "usage_by_15m", "usage_by_hour", "usage_by_day"];

it("splits a cost by tokens, rates and carries; the views and both rollups say the same", async () => {
  // 100 x 2500 = 250,000; 3 x 37.5 = 112.5; 10 x 3750 + 2 x 6000 = 49,500; 20 x 10,000 = 200,000; 3 x 112.5 = 337.5 nano-dollars:
  // 499,950 in all. Two halves make one nano-dollar, and the carry says that the cached tokens have it. 50 more are by call.
  const usage = { input: 100, cacheRead: 3, cacheWrite5m: 10, cacheWrite1h: 2, output: 20, reasoning: 3 };
  await store.insert({
    token: "split-1",
    records: [record("split", { usage, costNanoUsd: 500_000, costCarry: 0b00010 })],
  });
  const expected = { input: 250_000, cache_read: 113, cache_write: 49_500, output: 200_000, reasoning: 337, other: 50 };
  for (const view of views) expect(await splitIn(view, "split"), view).toEqual({ ...expected, total: 500_000 });
});

it("a correction takes back each part to the nano-dollar", async () => {
  const usage = { ...noUsage, input: 7, cacheRead: 3, reasoning: 1 };
  // 7 x 2500 + 112.5 + 112.5 = 17,725: both parts end in a half, the first gets the nano-dollar.
  const first = record("back", { usage, costNanoUsd: 17_725, costCarry: 0b00010 });
  await store.insert({ token: "back-1", records: [first] });
  await store.insert({ token: "back-2", records: [retracted(first)] });
  const nothing = Object.fromEntries([...parts, "total"].map((part) => [part, 0]));
  for (const view of views) expect(await splitIn(view, "back"), view).toEqual(nothing);
});

it("a cost without rates is other as a whole, and an unknown cost has unknown parts", async () => {
  await store.insert({ token: "old-1", records: [record("old", { costNanoUsd: 12_345, priceTag: "", costCarry: 0 })] });
  for (const view of views)
    expect(await splitIn(view, "old"), view).toMatchObject({ input: 0, other: 12_345, total: 12_345 });
  const unknown = record("unknown", { costNanoUsd: null, costStatus: "unpriced_model", priceTag: "", costCarry: 0 });
  await store.insert({ token: "unknown-1", records: [unknown] });
  for (const view of views) {
    const [row] = await store.query(`SELECT cost_input_usd, cost_other_usd FROM ${view} WHERE tenant = 'unknown'`);
    expect(row, view).toEqual({ cost_input_usd: null, cost_other_usd: null });
  }
});

it("usage says from which source and version a price is", async () => {
  const rows = await store.query(
    "SELECT price_source, price_version FROM usage WHERE tenant IN ('split', 'old') ORDER BY tenant",
  );
  expect(rows).toEqual([
    { price_source: "", price_version: "" },
    { price_source: "own", price_version: "test" },
  ]);
});
