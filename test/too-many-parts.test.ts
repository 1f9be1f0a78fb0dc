/** A real engine that may not merge, and refuses inserts from thirty parts on: a writer never comes so far. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { encodeUsageEntry } from "../src/ingest/usage-codec.ts";
import { openRemoteStore, type RemoteStore, remoteStore } from "../src/store/remote.ts";
import { sampleRecords } from "../src/store/sample-records.ts";
import { type ClickhouseTestServer, startClickhouseServer } from "./support/clickhouse-server.ts";
import { openUsageLog, shardWriter } from "./support/shard-writer.ts";

const tables = ["usage_records", "usage_rollup_15m", "usage_rollup_1d"];
const [delayAt, throwAt] = [1000, 30];
const startMs = Date.UTC(2026, 5, 1, 12);
let server: ClickhouseTestServer;
let store: RemoteStore;
let directory: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "burnwatch-parts-"));
  server = await startClickhouseServer();
  const options = { url: server.url, rawRetentionDays: 36_500, rollupRetentionMonths: 1200 };
  await (await openRemoteStore(options)).close();
  store = remoteStore(options);
  await store.migrate();
  for (const table of tables) {
    await store.command(`ALTER TABLE ${table} MODIFY SETTING parts_to_throw_insert = ${throwAt}`);
    await store.command(`SYSTEM STOP MERGES ${table}`);
  }
}, 60_000);
afterAll(async () => {
  await store?.close();
  await server?.stop();
  rmSync(directory, { recursive: true, force: true });
});

function calls(tenant: string, count: number) {
  return [...sampleRecords({ count, seed: 3, startMs, spanMs: 60_000 })].map((record) => ({ ...record, tenant }));
}

async function rowsOf(tenant: string): Promise<number> {
  const [row] = await store.query<{ rows: string }>(
    `SELECT count() AS rows FROM usage_records WHERE tenant = '${tenant}'`,
  );
  return Number(row?.rows);
}

it("waits before the server refuses, goes on once it has merged, and loses nothing", { timeout: 180_000 }, async () => {
  const usage = openUsageLog(join(directory, "usage"));
  const records = calls("patient", 4000);
  const entries: Uint8Array[] = [];
  // A batch each: forty inserts, more than the tables take without merging.
  for (let at = 0; at < records.length; at += 100)
    entries.push(encodeUsageEntry({ arrivedAtMs: startMs, records: records.slice(at, at + 100) }));
  await usage.entries.appendWith(entries, () => undefined);
  const failures: string[] = [];
  const waits: number[] = [];
  const failed = (error: Error) => failures.push(error.message);
  const slowed = (_: string, waitMs: number) => waits.push(waitMs);
  const writer = shardWriter({ logId: "parts", usage, store, failed, slowed }, directory);
  writer.start();
  await expect.poll(() => waits.length, { timeout: 60_000 }).toBeGreaterThan(0);
  const { parts } = await store.partPressure();
  expect(parts).toBeLessThan(throwAt);
  expect(parts).toBeGreaterThan(throwAt / 2);
  expect(writer.offset()).toBeLessThan(entries.length);
  for (const table of tables) {
    await store.command(`SYSTEM START MERGES ${table}`);
    await store.command(`OPTIMIZE TABLE ${table} FINAL`);
  }
  await expect.poll(() => writer.offset(), { timeout: 60_000 }).toBe(entries.length);
  await writer.stop();
  await usage.close();
  expect(failures).toEqual([]);
  expect(await rowsOf("patient")).toBe(records.length);
});

it("says how close it is by the thresholds of the tables, which go before the server's", async () => {
  expect(await store.partPressure()).toMatchObject({ delayAt, throwAt });
});

it("would be refused without the waiting", { timeout: 60_000 }, async () => {
  for (const table of tables) await store.command(`SYSTEM STOP MERGES ${table}`);
  const insertAll = async () => {
    for (const [index, record] of calls("hasty", throwAt + 5).entries())
      await store.insert({ token: `hasty-${index}`, records: [record] });
  };
  await expect(insertAll()).rejects.toThrow(/Too many parts/);
});
