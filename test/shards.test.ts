/** Several shards: two real engines in processes of their own, over HTTP, and writers that are killed. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { LmdbUsageLog } from "../src/event-log/lmdb-usage-log.ts";
import { shardOrder } from "../src/ingest/plan.ts";
import { encodeUsageEntry } from "../src/ingest/usage-codec.ts";
import type { UsageRecord } from "../src/model/usage-record.ts";
import { openRemoteStore } from "../src/store/remote.ts";
import { sampleRecords } from "../src/store/sample-records.ts";
import type { Store } from "../src/store/store.ts";
import { retracted } from "../src/store/store-sums.ts";
import { type ClickhouseTestServer, startClickhouseServer } from "./support/clickhouse-server.ts";
import { openUsageLog, shardDatabase, shardsAt, shardWriter } from "./support/shard-writer.ts";

const startMs = Date.UTC(2026, 5, 1, 12);
const writerFile = fileURLToPath(new URL("support/shard-writer.ts", import.meta.url));
const directories: string[] = [];
let servers: ClickhouseTestServer[];
/** Each shard by itself. */
let alone: Store[];
let store: Store;

beforeAll(async () => {
  servers = await Promise.all([startClickhouseServer(), startClickhouseServer()]);
  store = shardsAt(servers.map(({ url }) => url));
  await store.migrate();
  alone = await Promise.all(servers.map(({ url }) => openRemoteStore({ url, database: shardDatabase })));
}, 120_000);
afterAll(async () => {
  await Promise.all([store, ...(alone ?? [])].map((one) => one?.close()));
  await Promise.all((servers ?? []).map((server) => server.stop()));
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});

interface FilledLog {
  readonly directory: string;
  readonly tenant: string;
  readonly records: readonly UsageRecord[];
}

/** A usage log with calls of a tenant of its own, ten to an entry, and a correction of every tenth. */
async function filledLog(tenant: string, count: number): Promise<FilledLog> {
  const directory = mkdtempSync(join(tmpdir(), "burnwatch-shards-"));
  directories.push(directory);
  const samples = sampleRecords({ count, seed: 7, startMs, spanMs: 3 * 86_400_000 });
  const calls = [...samples].map((record) => ({ ...record, tenant }));
  const records = [...calls, ...calls.filter((_, index) => index % 10 === 0).map(retracted)];
  const usage = openUsageLog(directory);
  const entries: Uint8Array[] = [];
  for (let at = 0; at < records.length; at += 10)
    entries.push(encodeUsageEntry({ arrivedAtMs: startMs, records: records.slice(at, at + 10) }));
  await usage.entries.appendWith(entries, () => undefined);
  await usage.close();
  return { directory, tenant, records };
}

/** A log whose first batch goes to that shard of two. */
function logFor(shard: string, prefix: string): string {
  const logIds = Array.from({ length: 20 }, (_, index) => `${prefix}${index}`);
  return logIds.find((id) => shardOrder(["1", "2"], id, 1)[0] === shard) ?? "";
}

const rowText = (record: UsageRecord) =>
  [record.traceId, record.spanId, record.revision, record.calls, record.costNanoUsd ?? "null"].join(" ");

/** Every row of a tenant, of each shard. */
async function stored(tenant: string): Promise<string[][]> {
  const rows = alone.map((one) =>
    one.query<{ row: string }>(
      `SELECT concat(trace_id, ' ', span_id, ' ', toString(revision), ' ', toString(calls), ' ',
         ifNull(toString(toInt64(cost_usd * 1000000000)), 'null')) AS row FROM usage_records WHERE tenant = {tenant:String}`,
      { params: { tenant } },
    ),
  );
  return (await Promise.all(rows)).map((own) => own.map(({ row }) => row));
}

/** That every shard's rollups are the sums of its own rows. */
async function expectRollups(tenant: string): Promise<void> {
  const sums = "toString(sum(calls)) AS calls, toString(sum(cost_usd)) AS cost, toString(sum(input_tokens)) AS input";
  for (const one of alone) {
    const of = (view: string) =>
      one.query(
        `SELECT feature, ${sums} FROM ${view} WHERE tenant = {tenant:String} GROUP BY feature ORDER BY feature`,
        {
          params: { tenant },
        },
      );
    const [rollup, days] = [await of("usage_by_15m"), await of("usage_by_day")];
    expect(days).toEqual(rollup);
    const base = (await of("usage")) as { cost: string | null }[];
    expect(base.map((row) => ({ ...row, cost: row.cost ?? "0" }))).toEqual(
      (rollup as { cost: string | null }[]).map((row) => ({ ...row, cost: row.cost ?? "0" })),
    );
  }
}

async function writeAll(log: FilledLog, usage: LmdbUsageLog, into: Store, logId = log.tenant): Promise<void> {
  const writer = shardWriter({ logId, usage, store: into }, log.directory);
  writer.start();
  await expect.poll(() => writer.offset(), { timeout: 60_000 }).toBe(usage.entries.lastOffset());
  await writer.stop();
}

it("keeps the multiset exact over both shards while the writer is killed -9 in its inserts", {
  timeout: 240_000,
}, async () => {
  const log = await filledLog("killed", 1500);
  const words = [writerFile, log.directory, log.tenant, servers.map(({ url }) => url).join(",")];
  let ended: number | null = null;
  for (let kills = 0; ended === null; kills++) {
    const writer = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
    const exited = once(writer, "exit");
    await once(writer.stdout, "data");
    const timer = kills < 4 ? setTimeout(() => writer.kill("SIGKILL"), 60 + 140 * kills) : undefined;
    [ended] = (await exited) as [number | null];
    clearTimeout(timer);
  }
  expect(ended).toBe(0);
  const rows = await stored(log.tenant);
  expect(rows.flat().sort()).toEqual(log.records.map(rowText).sort());
  for (const own of rows) expect(own.length).toBeGreaterThan(log.records.length / 10);
  await expectRollups(log.tenant);
});

it("repeats a plan on its shard after another was added, also one of a version without shards", {
  timeout: 120_000,
}, async () => {
  const [first] = servers;
  const one = shardsAt([first?.url ?? ""]);
  for (const version of ["before", "now"]) {
    const logId = logFor("2", version);
    const log = await filledLog(`added-${version}`, 50);
    const usage = openUsageLog(log.directory);
    // Killed when the batch was in, and nobody had heard of it.
    await new Promise<void>((inserted, failed) => {
      const insert: Store["insert"] = (batch) =>
        one.insert(batch).then(() => {
          inserted();
          return new Promise(() => undefined);
        }, failed);
      const deaf: Partial<Store> = {
        insert,
        shards: one.shards,
        partPressure: (shard) => one.partPressure(shard),
        sealedDays: () => one.sealedDays(),
      };
      shardWriter({ logId, usage, store: deaf as Store }, log.directory).start();
    });
    const { plan } = usage.mark("writer") as { plan: { token: string; from: number; to: number; plannedAtMs: number } };
    expect(plan).toMatchObject({ version: 2, shard: "1", from: 1 });
    const { token, from, to, plannedAtMs } = plan;
    if (version === "before") await usage.saveMark("writer", { offset: 0, plan: { token, from, to, plannedAtMs } });
    await writeAll(log, usage, store, logId);
    await usage.close();
    expect((await stored(log.tenant)).map((rows) => rows.length)).toEqual([log.records.length, 0]);
    await expectRollups(log.tenant);
  }
  await one.close();
});

it("goes on with the other shard while one is away, but for the batch that was planned for it", {
  timeout: 180_000,
}, async () => {
  const [, second] = servers;
  const [stuck, free] = [await filledLog("stuck", 300), await filledLog("free", 300)];
  const logId = logFor("2", "away");
  const usages = [stuck, free].map(({ directory }) => openUsageLog(directory));
  const [stuckUsage, freeUsage] = usages;
  if (stuckUsage === undefined || freeUsage === undefined) throw new Error("two logs");
  await stuckUsage.saveMark("writer", {
    offset: 0,
    plan: { version: 2, shard: "2", token: `${logId}-1-3`, from: 1, to: 3, plannedAtMs: Date.now() },
  });
  await second?.end("terminate");
  const failures: string[] = [];
  const failed = (error: Error) => failures.push(error.message);
  const waiting = shardWriter({ logId, usage: stuckUsage, store, failed }, stuck.directory);
  waiting.start();
  await writeAll(free, freeUsage, store);
  expect(failures.length).toBeGreaterThan(0);
  expect(waiting.offset()).toBe(0);
  await second?.start();
  await expect.poll(() => waiting.offset(), { timeout: 90_000 }).toBe(stuckUsage.entries.lastOffset());
  await waiting.stop();
  for (const usage of usages) await usage.close();
  const [stuckRows, freeRows] = [await stored("stuck"), await stored("free")];
  expect(freeRows.map((rows) => rows.length)).toEqual([free.records.length, 0]);
  expect(stuckRows.flat().sort()).toEqual(stuck.records.map(rowText).sort());
  expect(stuckRows[1]?.length).toBeGreaterThanOrEqual(30);
});

it("says which shard is missing where a plan names one that the configuration has lost", async () => {
  const log = await filledLog("lost", 10);
  const usage = openUsageLog(log.directory);
  const plan = { version: 2, shard: "3", token: "lost-1-1", from: 1, to: 1, plannedAtMs: Date.now() };
  await usage.saveMark("writer", { offset: 0, plan });
  const said = await new Promise<string>((failed) => {
    const told = (error: Error) => failed(error.message);
    const writer = shardWriter({ logId: "lost", usage, store, failed: told }, log.directory);
    writer.start();
    void writer.stop();
  });
  expect(said).toContain(
    "was planned for shard 3, and there are only 1, 2: put that shard back into clickhouse.shards",
  );
  await usage.close();
});

it("finds stored records on every shard, and sums over all of them only through a cluster", async () => {
  const [row] = await store.queryShards<{ rows: string }>(
    "SELECT count() AS rows FROM usage_records WHERE tenant = 'killed'",
  );
  expect(Number(row?.rows)).toBeGreaterThan(0);
  await expect(store.query("SELECT 1")).rejects.toThrow("name it with clickhouse.cluster");
});
