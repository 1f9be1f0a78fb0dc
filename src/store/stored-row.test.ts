import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { UsageRecord } from "../model/usage-record.ts";
import { openEmbeddedStore } from "./embedded.ts";
import { sampleRecords } from "./sample-records.ts";
import type { Store } from "./store.ts";
import { recordOfRow, type StoredRow, storedColumns } from "./stored-row.ts";

const directory = mkdtempSync(join(tmpdir(), "burnwatch-stored-row-"));
let store: Store;
beforeAll(async () => {
  store = await openEmbeddedStore({ directory, rawRetentionDays: 36_500, rollupRetentionMonths: 1200 });
  await store.migrate();
});
afterAll(async () => {
  await store?.close();
  rmSync(directory, { recursive: true, force: true });
});

it("reads records back, from those without a price to the dearest that money can say", async () => {
  const costs = [null, 0, 9_223_372_037, 50_000_000_000, Number.MAX_SAFE_INTEGER];
  const [sample] = [...sampleRecords({ count: 1, startMs: Date.UTC(2025, 10, 20, 8), spanMs: 1000 })];
  if (sample === undefined) throw new Error("no sample");
  const records = costs.map((nano): UsageRecord => ({ ...sample, costNanoUsd: nano, reportedNanoUsd: nano }));
  await store.insert({ token: "dear-1", records });
  const rows = await store.query<StoredRow>(`SELECT ${storedColumns} FROM usage_records ORDER BY cost_usd NULLS FIRST`);
  const found = rows.map(recordOfRow);
  expect(found.map(({ costNanoUsd }) => costNanoUsd)).toEqual(costs);
  expect(found.map(({ reportedNanoUsd }) => reportedNanoUsd)).toEqual(costs);
});
