import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { priceTag } from "../model/price-tag.ts";
import { noUsage } from "../model/usage.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import { openEmbeddedStore } from "../store/embedded.ts";
import { sampleRecords } from "../store/sample-records.ts";
import type { Store } from "../store/store.ts";
import { retracted } from "../store/store-sums.ts";
import { models } from "./models.ts";

const directory = mkdtempSync(join(tmpdir(), "burnwatch-models-"));
const startMs = Date.UTC(2025, 10, 20, 8);
let store: Store;
beforeAll(async () => {
  store = await openEmbeddedStore({ directory, rawRetentionDays: 36_500 });
  await store.migrate();
});
afterAll(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

const rates = { input: 1n, cacheRead: 0n, cacheWrite5m: 0n, cacheWrite1h: 0n, output: 0n, reasoning: 0n };
const [sample] = [...sampleRecords({ count: 1, startMs, spanMs: 1 })] as [UsageRecord];
const usage = { ...noUsage, input: 100, cacheRead: 20, output: 3 };

function record(model: string, over: Partial<UsageRecord>): UsageRecord {
  const plain = { provider: "openai", calls: 1, costNanoUsd: 1000, costStatus: "priced", flags: [], usage } as const;
  return {
    ...sample,
    ...plain,
    model,
    priceTag: priceTag(rates, { source: "bundled", version: "v1", since: "2025-06-10" }),
    ...over,
  };
}

it("shows unpriced models first, how each was priced and since when, and how far the emitter's cost is off", async () => {
  const unknown = { priceTag: "", costNanoUsd: null, costStatus: "unpriced_model" } as const;
  const own = priceTag(rates, { source: "own", version: "abc", since: "" });
  const wrong = record("dear", { costNanoUsd: 5_000_000_000 });
  await store.insert({
    token: "models-1",
    records: [
      record("dear", { costNanoUsd: 2_000_000_000, reportedNanoUsd: 1_000_000_000, flags: ["cost_diverges"] }),
      record("dear", {
        costNanoUsd: 2_000_000_000,
        reportedNanoUsd: 2_000_000_000,
        startUs: (startMs + 60_000) * 1000,
        priceTag: own,
      }),
      wrong,
      retracted(wrong),
      record("new-model", unknown),
      record("new-model", { ...unknown, tenant: "other" }),
      record("ignored", { startUs: (startMs - 1) * 1000 }),
    ],
  });
  const rows = await models(store, { sinceMs: startMs });
  expect(rows.map(({ model }) => model)).toEqual(["new-model", "dear"]);
  expect(rows[0]).toMatchObject({
    calls: 2,
    unpriced_calls: 2,
    unpriced_tokens: 246,
    cost_usd: null,
    divergence: null,
  });
  expect(rows[1]).toEqual({
    provider: "openai",
    model: "dear",
    calls: 2,
    input_tokens: 240,
    output_tokens: 6,
    cost_usd: "4.000000000",
    unpriced_calls: 0,
    unpriced_tokens: 0,
    reported_cost_usd: "3.000000000",
    reported_against_usd: "4.000000000",
    divergence: -0.25,
    diverging_calls: 1,
    prices: [
      {
        status: "priced",
        source: "own",
        version: "abc",
        listed_since: null,
        first_call: "2025-11-20T08:01:00Z",
        calls: 1,
        cost_usd: "2.000000000",
      },
      {
        status: "priced",
        source: "bundled",
        version: "v1",
        listed_since: "2025-06-10",
        first_call: "2025-11-20T08:00:00Z",
        calls: 1,
        cost_usd: "2.000000000",
      },
    ],
  });
  const other = await models(store, { sinceMs: startMs, tenant: "other" });
  expect(other.map(({ model, calls }) => [model, calls])).toEqual([["new-model", 1]]);
});
