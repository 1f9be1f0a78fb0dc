/** Tables that are not as the migrations make them, over the real engine on a server. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ClickhouseTestServer, startClickhouseServer } from "../../test/support/clickhouse-server.ts";
import { openRemoteStore } from "./remote.ts";
import { shapesOf } from "./schema-check.ts";

describe("tables of a server", () => {
  let server: ClickhouseTestServer;
  let databases = 0;
  beforeAll(async () => {
    server = await startClickhouseServer();
  });
  afterAll(() => server?.stop());

  async function command(sql: string, database: string): Promise<void> {
    const answer = await fetch(`${server.url}/?database=${database}`, { method: "POST", body: sql });
    if (!answer.ok) throw new Error(await answer.text());
  }
  /** What a writer that starts over such a database says; "" where all is well. */
  async function said(...statements: readonly string[]): Promise<string> {
    const database = `d${++databases}`;
    const first = await openRemoteStore({ url: server.url, database });
    const before = statements.filter((sql) => sql.startsWith("CREATE"));
    for (const sql of before) await command(sql, database);
    if (before.length === 0) await first.migrate();
    for (const sql of statements.filter((one) => !before.includes(one))) await command(sql, database);
    const answer = await first.migrate().then(
      () => "",
      (error: Error) => error.message,
    );
    await first.close();
    return answer;
  }

  it("are taken as they were made, again and again", async () => {
    expect(await said()).toBe("");
    expect(await said("ALTER TABLE usage_records ADD COLUMN my_own String")).toBe("");
  });

  it("are refused where a table of that name is somebody else's", async () => {
    expect(await said("CREATE TABLE usage_records (id UInt64) ENGINE = MergeTree ORDER BY id")).toBe(
      "table usage_records is not Burnwatch's: it is sorted by (id), expected (tenant,feature,model,ts); choose another clickhouse.database, or rename that table",
    );
    // As another tool for migrations has it.
    expect(
      await said("CREATE TABLE schema_migrations (version Int64, dirty UInt8, sequence UInt64) ENGINE = TinyLog"),
    ).toContain("table schema_migrations is not Burnwatch's: its engine is TinyLog, expected MergeTree");
  });

  it("are refused where they were changed by hand, or migrated by another edition", async () => {
    expect(await said("ALTER TABLE usage_rollup_1d DROP COLUMN errors SETTINGS mutations_sync = 2")).toContain(
      "table usage_rollup_1d has no column errors: it was changed by hand; change it back",
    );
    expect(await said("ALTER TABLE usage_records MODIFY COLUMN response_id Nullable(String)")).toContain(
      "column response_id of usage_records is Nullable(String), expected String",
    );
    expect(
      await said(
        "ALTER TABLE schema_migrations UPDATE name = 'own_rollup' WHERE version = 3 SETTINGS mutations_sync = 2",
      ),
    ).toContain("schema version 3 is recorded as own_rollup, expected usage_rollup_1d");
    expect(await said("INSERT INTO schema_migrations (version, name) VALUES (999, 'later')")).toContain(
      "the tables are at schema version 999",
    );
  });
});

it("reads a table's shape from its statement", () => {
  const [shape] = shapesOf([
    "CREATE TABLE IF NOT EXISTS t (\n  a Decimal(18, 9) CODEC(ZSTD(1)),\n  b DateTime64(3, 'UTC') DEFAULT now64(3), c String,\n  INDEX x a TYPE minmax\n) ENGINE = MergeTree\nPARTITION BY toDate(b)\nORDER BY (a, toStartOfHour(b))\nSETTINGS s = 1",
  ]);
  expect(shape).toEqual({
    table: "t",
    engine: "MergeTree",
    key: "a,toStartOfHour(b)",
    columns: new Map([
      ["a", "Decimal(18,9)"],
      ["b", "DateTime64(3,'UTC')"],
      ["c", "String"],
    ]),
  });
});
