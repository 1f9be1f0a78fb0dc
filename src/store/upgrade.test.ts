/** A data directory of schema version 5, opened by this version: sums, seals and views stay as they were. */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createChdbConnection } from "chdb/connection";
import { afterAll, expect, it } from "vitest";
import { openEmbeddedStore } from "./embedded.ts";
import { sampleRecords } from "./sample-records.ts";

const directory = mkdtempSync(join(tmpdir(), "burnwatch-upgrade-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const schema = readFileSync(new URL("../../test/fixtures/schema-version-5.sql", import.meta.url), "utf8");
const day = Date.UTC(2025, 10, 20);

async function openVersion5() {
  const connection = createChdbConnection({ path: directory });
  const command = async (sql: string) => void (await connection.chdb.queryAsync(sql));
  await command("CREATE DATABASE burnwatch");
  await command("USE burnwatch");
  for (const statement of schema.replace(/^--.*$/gm, "").split(/;\n/))
    if (statement.trim() !== "") await command(statement);
  return { connection, command };
}

it("keeps calls, costs and seals of version 5; their cost is `other`, that of new calls is split", async () => {
  const { connection, command } = await openVersion5();
  await command(`INSERT INTO usage_records (ts, trace_id, span_id, tenant, model, calls, input_uncached_tokens, cost_usd, cost_status, batch)
    SELECT toDateTime64('2025-11-20 08:00:00', 6, 'UTC') + number, leftPad(toString(number), 32, '0'), leftPad(toString(number), 16, '0'),
      'old', 'gpt-4o', 1, 100, toDecimal64('0.00025', 9), 'priced', 'b5' FROM numbers(1000)`);
  const sums =
    `records calls errors unpriced_calls priced_records input_uncached_tokens cache_read_tokens cache_write_5m_tokens
    cache_write_1h_tokens output_visible_tokens reasoning_tokens call_duration_us cost_usd`.split(/\s+/);
  // As version 5 sealed a day: its thirteen sums, each with a space behind it.
  await command(`INSERT INTO sealed_days (day, open, sums) SELECT toDate('2025-11-20'), 0,
    concat(${sums.map((name) => `toString(sum(${name})), ' '`).join(", ")}) FROM usage_rollup_15m WHERE toDate(slot) = '2025-11-20'`);
  await connection.close();

  const store = await openEmbeddedStore({ directory, rawRetentionDays: 36_500, rollupRetentionMonths: 1200 });
  expect(await store.migrate()).toEqual(["cost_split", "reprices", "metrics", "instances_modalities", "prompt_hash"]);
  expect(await store.brokenSeals()).toEqual([]);
  const records = [...sampleRecords({ count: 200, startMs: day + 86_400_000, spanMs: 3_600_000 })].map((record) => ({
    ...record,
    tenant: "new",
  }));
  await store.insert({ token: "after-1", records });
  expect(await store.repairRollups(["2025-11-20", "2025-11-21"])).toEqual([]);
  for (const view of ["usage", "usage_by_15m", "usage_by_hour", "usage_by_day"]) {
    const rows = await store.query(
      `SELECT tenant, sum(cost_usd) AS cost, sum(cost_other_usd) AS other, sum(cost_input_usd) AS input FROM ${view} GROUP BY tenant ORDER BY tenant DESC`,
    );
    expect(rows[0], view).toEqual({ tenant: "old", cost: "0.25", other: "0.25", input: "0" });
    expect(rows[1], view).toMatchObject({ tenant: "new", other: "0" });
    expect(Number((rows[1] as { input: string }).input), view).toBeGreaterThan(0);
  }
  // A seal is still a seal: damage to the old sums shows.
  await store.insert({
    token: "after-2",
    records: records.map((record) => ({ ...record, startUs: record.startUs - 86_400_000_000 })),
  });
  expect(await store.brokenSeals()).toEqual(["2025-11-20"]);
  await store.close();
}, 60_000);
