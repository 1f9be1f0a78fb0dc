import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type ClickhouseTestServer, startClickhouseServer } from "../../test/support/clickhouse-server.ts";
import { clusterSchema, clusterScript, readingLags, readingStatements } from "./cluster-ddl.ts";
import { type RemoteStore, remoteStore } from "./remote.ts";
import { sampleRecords } from "./sample-records.ts";
import { sumsOf, sumsOfRecords } from "./store-sums.ts";

const place = { cluster: "burnwatch", database: "burnwatch" };
const retention = { rawRetentionDays: 36_500, rollupRetentionMonths: 1200 };
const golden = new URL("../../deploy/clickhouse-cluster.sql", import.meta.url);
const startMs = Date.UTC(2026, 5, 1, 12);
let directory: string;
let server: ClickhouseTestServer;
const opened: RemoteStore[] = [];

/** A server that knows a cluster of two shards, both of them itself, and a policy with a cold disk. */
const configuration = (cold: string) => `<clickhouse>
  <tcp_port>9000</tcp_port>
  <remote_servers><burnwatch>
    <shard><replica><host>127.0.0.1</host><port>9000</port></replica></shard>
    <shard><replica><host>127.0.0.1</host><port>9000</port></replica></shard>
  </burnwatch></remote_servers>
  <storage_configuration>
    <disks><cold><path>${cold}/</path></cold></disks>
    <policies><tiered><volumes>
      <default><disk>default</disk></default><cold><disk>cold</disk></cold>
    </volumes></tiered></policies>
  </storage_configuration>
</clickhouse>`;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "burnwatch-ddl-"));
  const file = join(directory, "config.xml");
  writeFileSync(file, configuration(join(directory, "cold")));
  server = await startClickhouseServer(file);
}, 60_000);
afterAll(async () => {
  for (const store of opened) await store.close();
  await server?.stop();
  rmSync(directory, { recursive: true, force: true });
});

function open(database: string, more: Partial<Parameters<typeof remoteStore>[0]> = {}): RemoteStore {
  const store = remoteStore({ url: server.url, database, ...retention, ...more });
  opened.push(store);
  return store;
}

it("prints what deploy/clickhouse-cluster.sql holds", () => {
  const printed = clusterScript(place, { rawRetentionDays: 90, rollupRetentionMonths: 13 });
  expect(printed).toBe(readFileSync(golden, "utf8"));
});

it("writes statements for all servers that the engine can read", async () => {
  const store = open("default");
  const coldStorage = { policy: "tiered", volume: "cold", afterDays: 14 };
  for (const sql of clusterSchema(place, { ...retention, coldStorage })) {
    const [row] = await store.query<{ text: string }>("SELECT formatQuery({sql:String}) AS text", { params: { sql } });
    if (/^(CREATE|ALTER)/.test(sql)) expect(row?.text).toContain("ON CLUSTER burnwatch");
    if (/^CREATE TABLE/.test(sql)) expect(row?.text).toContain("ENGINE = Replicated");
    expect(row?.text).not.toMatch(/FROM (usage|resource)/);
  }
  await expect(
    store.query("SELECT formatQuery({sql:String})", { params: { sql: "CREATE TABLE a (" } }),
  ).rejects.toThrow("Syntax error");
});

it("reads all shards as one, records, rollups and views, to the nano-dollar", { timeout: 60_000 }, async () => {
  const admin = open("default");
  const records = [...sampleRecords({ count: 400, startMs, spanMs: 86_400_000 })].map((record) => ({
    ...record,
    tenant: "both",
  }));
  await admin.command("CREATE DATABASE one");
  const shard = open("one");
  await shard.migrate();
  await shard.insert({ token: "both", records });
  // There is nobody here who hands statements to all servers.
  for (const sql of readingStatements({ cluster: "burnwatch", database: "one" }))
    await admin.command(sql.replace(/ ON CLUSTER '\w+'/, ""));
  // Both shards are this server, so that each row comes twice.
  expect(await sumsOf(open("one_all"), "both")).toEqual(sumsOfRecords([...records, ...records]));
  expect(await readingLags(open("default"), "one")).toBe(false);
  await admin.command("ALTER TABLE one.usage_records ADD COLUMN later UInt8");
  expect(await readingLags(open("default"), "one")).toBe(true);
});

it("moves older rows to the cold volume, and changes tables that had none", { timeout: 60_000 }, async () => {
  await open("default").command("CREATE DATABASE tiers");
  await open("tiers").migrate();
  const store = open("tiers", { coldStorage: { policy: "tiered", volume: "cold", afterDays: 14 } });
  await store.migrate();
  const nowMs = Date.now();
  for (const [token, ms] of [
    ["old", nowMs - 30 * 86_400_000],
    ["new", nowMs - 2 * 86_400_000],
  ] as const)
    await store.insert({ token, records: [...sampleRecords({ count: 10, startMs: ms, spanMs: 1000 })] });
  const disks = () =>
    store.query(
      `SELECT DISTINCT batch, p.disk_name AS disk FROM usage_records AS r
       INNER JOIN (SELECT name, disk_name FROM system.parts WHERE database = 'tiers' AND table = 'usage_records' AND active) AS p
       ON p.name = r._part ORDER BY batch`,
    );
  await expect.poll(disks, { timeout: 30_000 }).toEqual([
    { batch: "new", disk: "default" },
    { batch: "old", disk: "cold" },
  ]);
  // Nothing is left to change.
  expect(await store.migrate()).toEqual([]);
});
