/** What only the embedded engine does: one process per directory, death in the middle of work, migrations cut short. */

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ChdbConnection, createChdbConnection } from "chdb/connection";
import { afterAll, describe, expect, it } from "vitest";
import { openEmbeddedStore } from "./embedded.ts";
import { migrateSchema, type SchemaConnection } from "./migrations.ts";
import { sampleRecords } from "./sample-records.ts";

const directory = mkdtempSync(join(tmpdir(), "burnwatch-embedded-"));
const moduleUrl = (file: string) => JSON.stringify(new URL(file, import.meta.url).href);

/** Runs a program in a process of its own; `say` lines go to `onLine`. */
function run(program: string, onLine: (line: string, kill: () => void) => void = () => undefined) {
  return new Promise<{ code: number | null; signal: string | null; output: string }>((resolve) => {
    const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    const take = (chunk: Buffer) => {
      output += chunk;
      for (const line of String(chunk).split("\n")) onLine(line, () => child.kill("SIGKILL"));
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.on("close", (code, signal) => resolve({ code, signal, output }));
  });
}

function schemaConnection(connection: ChdbConnection): SchemaConnection {
  return {
    command: async (sql) => void (await connection.chdb.queryAsync(sql)),
    query: async <Row>(sql: string) => {
      const result = await connection.chdb.queryAsync(sql, { format: "JSONEachRow" });
      return result
        .text()
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Row);
    },
  };
}

const open = `
  const { openEmbeddedStore } = await import(${moduleUrl("./embedded.ts")});
  const { sampleRecords } = await import(${moduleUrl("./sample-records.ts")});
  const store = await openEmbeddedStore({ directory: ${JSON.stringify(directory)}, rawRetentionDays: 36500 });`;

describe("the embedded store", () => {
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it("refuses a second process with one clear line, and serves the first on", async () => {
    const store = await openEmbeddedStore({ directory, rawRetentionDays: 36_500 });
    await store.migrate();
    const { output } = await run(`try {${open}} catch (error) { console.log(error.name + ": " + error.message) }`);
    expect(output).toBe(
      `StoreLockedError: another Burnwatch is running on this data directory: process ${process.pid} holds ${directory}\n`,
    );
    expect(await store.query("SELECT 1 AS one")).toEqual([{ one: 1 }]);
    await store.close();
  });

  it("ends cleanly when it is closed during a query and an insert", async () => {
    const { code, output } = await run(`${open}
      const slow = store.query("SELECT count() FROM numbers(50000000) WHERE sipHash64(number) = 1");
      const insert = store.insert({ token: "closing", records: [...sampleRecords({ count: 5000, startMs: 1763625600000, spanMs: 1000 })] });
      await store.close();
      await Promise.all([slow, insert]);
      console.log("closed");
      process.exit(0);`);
    expect({ code, output }).toEqual({ code: 0, output: "closed\n" });
  });

  it("loses nothing acknowledged to kill -9, and a repeat with the same tokens makes base and rollups agree", async () => {
    const count = 500;
    const records = (seed: number) => [
      ...sampleRecords({ count, seed, startMs: 1_763_625_600_000, spanMs: 3_600_000 }),
    ];
    let begun = 0;
    for (let round = 0; round < 3; round++) {
      const from = begun;
      let acknowledged = 0;
      const { signal } = await run(
        `${open}
        for (let seed = ${from}; ; seed++) {
          await store.insert({ token: "kill-" + seed, records: [...sampleRecords({ count: ${count}, seed, startMs: 1763625600000, spanMs: 3600000 })] });
          console.log("acked");
        }`,
        (line, kill) => {
          if (line === "acked" && ++acknowledged === 5 + round) kill();
        },
      );
      expect(signal).toBe("SIGKILL");
      // One insert may have been at work, and a few may have been done before the signal arrived: all are repeated.
      begun = from + acknowledged + 10;
    }
    const store = await openEmbeddedStore({ directory, rawRetentionDays: 36_500 });
    await store.query("SELECT 1");
    for (let seed = 0; seed < begun; seed++) await store.insert({ token: `kill-${seed}`, records: records(seed) });
    const sums =
      "toString(sum(calls)) AS calls, toString(sum(input_uncached_tokens)) AS input, toString(sum(cost_usd)) AS cost";
    const [base] = await store.query(`SELECT ${sums}, count() AS records FROM usage_records WHERE batch LIKE 'kill-%'`);
    const [rollup] = await store.query(`SELECT ${sums} FROM usage_rollup_15m`);
    const [others] = await store.query(`SELECT ${sums} FROM usage_records WHERE batch NOT LIKE 'kill-%'`);
    const [whole] = await store.query(`SELECT ${sums} FROM usage_records`);
    expect(base).toMatchObject({ records: String(begun * count) });
    expect(rollup).toEqual(whole);
    expect(await store.query(`SELECT ${sums} FROM usage_rollup_1d`)).toEqual([whole]);
    expect(others).not.toEqual(whole);
    await store.close();
  }, 60_000);

  it("knows a batch that an earlier version stored from text", async () => {
    const records = [...sampleRecords({ count: 50, startMs: Date.UTC(2025, 10, 20), spanMs: 1000 })];
    const connection = createChdbConnection({ path: directory });
    const { command } = schemaConnection(connection);
    const settings = "async_insert = 0, insert_deduplication_token = 'upgrade-1'";
    await command(`INSERT INTO burnwatch.usage_records (ts, tenant, calls, batch) SETTINGS ${settings}
      FORMAT JSONCompactEachRow [${records[0]?.startUs},"upgraded",1,"upgrade-1"]`);
    await connection.close();
    const store = await openEmbeddedStore({ directory, rawRetentionDays: 36_500 });
    await store.insert({ token: "upgrade-1", records: records.map((record) => ({ ...record, tenant: "upgraded" })) });
    for (const table of ["usage_records", "usage_rollup_15m", "usage_rollup_1d"])
      expect(await store.query(`SELECT sum(calls) AS calls FROM ${table} WHERE tenant = 'upgraded'`)).toEqual([
        { calls: "1" },
      ]);
    await store.close();
  });

  it("finishes migrations that were cut short after any statement", async () => {
    const connection = createChdbConnection({ path: directory });
    const retention = { rawRetentionDays: 36_500, rollupRetentionMonths: 1200 };
    const { command, query } = schemaConnection(connection);
    const statementsAll = 40;
    for (let cutAfter = 0; cutAfter <= statementsAll; cutAfter++) {
      await command(`CREATE DATABASE cut_${cutAfter}`);
      await command(`USE cut_${cutAfter}`);
      let statements = 0;
      const cut = async (sql: string) => {
        if (statements++ === cutAfter) throw new Error("killed");
        await command(sql);
      };
      const first = migrateSchema({ command: cut, query }, retention);
      // The last round counts the statements: a new migration must lengthen this test.
      if (cutAfter < statementsAll) await expect(first).rejects.toThrow("killed");
      else await first;
      await migrateSchema({ command, query }, retention);
      expect(await migrateSchema({ command, query }, retention)).toEqual([]);
      const [tables] = await query<{ count: number }>(
        "SELECT count() AS count FROM system.tables WHERE database = currentDatabase()",
      );
      expect(tables).toEqual({ count: 15 });
      await command(`DROP DATABASE cut_${cutAfter} SYNC`);
    }
    await connection.close();
  }, 120_000);

  it("makes a rollup anew that a kill left behind its base, but never one whose raw rows have expired", async () => {
    const day = "2025-11-20";
    const answers = async (work: (connection: SchemaConnection) => Promise<void>) => {
      const connection = createChdbConnection({ path: directory });
      const { command, query } = schemaConnection(connection);
      await command("USE burnwatch");
      await work({ command, query });
      await connection.close();
    };
    const sums = "SELECT toString(sum(calls)) AS calls, toString(sum(cost_usd)) AS cost FROM";
    const store = await openEmbeddedStore({ directory, rawRetentionDays: 36_500 });
    await store.migrate();
    await store.insert({
      token: "repair-1",
      records: [...sampleRecords({ count: 500, startMs: Date.UTC(2025, 10, 20), spanMs: 3_600_000 })],
    });
    const days = (await store.query<{ day: string }>("SELECT DISTINCT toString(day) AS day FROM usage")).map(
      (row) => row.day,
    );
    expect(days).toContain(day);
    const before = await store.query(`${sums} usage`);
    await store.close();
    await answers(async ({ command }) => {
      await command(`ALTER TABLE usage_rollup_15m DELETE WHERE toDate(slot) = '${day}' SETTINGS mutations_sync = 2`);
      await command(`INSERT INTO usage_rollup_1d SELECT * FROM usage_rollup_1d WHERE day = '${day}'`);
    });
    const expiring = await openEmbeddedStore({ directory, rawRetentionDays: 90 });
    expect(await expiring.repairRollups(days)).toEqual([]);
    await expiring.close();
    const again = await openEmbeddedStore({ directory, rawRetentionDays: 36_500 });
    expect([...(await again.repairRollups(days))].sort()).toEqual([
      `usage_rollup_15m ${day}`,
      `usage_rollup_1d ${day}`,
    ]);
    for (const view of ["usage", "usage_by_15m", "usage_by_hour", "usage_by_day"]) {
      expect(await again.query(`${sums} ${view}`)).toEqual(before);
    }
    expect(await again.repairRollups(days)).toEqual([]);
    await again.close();
  });

  it("changes the retention when it is configured otherwise, and refuses a newer schema", async () => {
    const connection = createChdbConnection({ path: directory });
    const { command, query } = schemaConnection(connection);
    await command("CREATE DATABASE retention");
    await command("USE retention");
    await migrateSchema({ command, query }, { rawRetentionDays: 90, rollupRetentionMonths: 13 });
    await migrateSchema({ command, query }, { rawRetentionDays: 30, rollupRetentionMonths: 25 });
    const rows = await query<{ definition: string }>(
      "SELECT engine_full AS definition FROM system.tables WHERE database = 'retention' AND name LIKE 'usage_r%' AND engine LIKE '%MergeTree' ORDER BY name",
    );
    expect(rows.map((row) => /TTL (.*?) SETTINGS/.exec(row.definition)?.[1])).toEqual([
      "toDate(ts) + toIntervalDay(30)",
      "toDate(slot) + toIntervalMonth(25)",
      "toDate(day) + toIntervalMonth(25)",
    ]);
    await command("INSERT INTO schema_migrations (version, name) VALUES (99, 'from_the_future')");
    await expect(
      migrateSchema({ command, query }, { rawRetentionDays: 90, rollupRetentionMonths: 13 }),
    ).rejects.toThrow("the tables are at schema version 99 and this Burnwatch knows 10: start the newer version");
    await command("DROP DATABASE retention SYNC");
    await connection.close();
  });
});
