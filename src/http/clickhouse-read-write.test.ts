/** The read-write form, as test suites use it: a server in its own process, whose requests do not touch each other. */

import { ClickHouseLogLevel, createClient } from "@clickhouse/client";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type ClickhouseTestServer, startClickhouseServer } from "../../test/support/clickhouse-server.ts";

let server: ClickhouseTestServer;

beforeAll(async () => {
  server = await startClickhouseServer();
  await ask("CREATE DATABASE d");
  await ask(
    "CREATE TABLE d.t (a UInt32, b String) ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 100",
  );
  await ask(
    "CREATE TABLE d.tokens_like (a UInt8) ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 100",
  );
});
afterAll(() => server.stop());

async function ask(body: string, query = ""): Promise<string> {
  const answer = await fetch(`${server.url}/?${query}`, { method: "POST", body });
  return answer.text();
}

it("takes rows behind an INSERT in the body, beside one in the URL, and from @clickhouse/client", async () => {
  await ask('INSERT INTO d.t FORMAT JSONEachRow\n{"a":1,"b":"x;{y:String}"}\n{"a":2,"b":"z"}\n');
  await ask("3,three\n4,four\n", `query=${encodeURIComponent("INSERT INTO d.t FORMAT CSV")}`);
  await ask("INSERT INTO t VALUES (5, 'five')", "database=d");
  const client = createClient({
    ...{ url: server.url, database: "d", log: { level: ClickHouseLogLevel.OFF } },
    compression: { request: true, response: true },
  });
  await client.insert({ table: "t", values: [{ a: 6, b: "six" }], format: "JSONEachRow" });
  await client.command({ query: "ALTER TABLE t ADD COLUMN c UInt8 DEFAULT 7" });
  const result = await client.query({ query: "SELECT * FROM t ORDER BY a", format: "JSONCompactEachRow" });
  expect(await result.json()).toEqual([
    [1, "x;{y:String}", 7],
    [2, "z", 7],
    [3, "three", 7],
    [4, "four", 7],
    [5, "five", 7],
    [6, "six", 7],
  ]);
  await client.close();
});

it("takes rows in binary formats, once per deduplication token", async () => {
  await ask("CREATE TABLE d.binary AS d.tokens_like");
  for (const format of ["Native", "RowBinary", "Parquet"]) {
    const rows = await fetch(
      `${server.url}/?query=${encodeURIComponent(`SELECT toUInt8(number + 200) AS a FROM numbers(3) FORMAT ${format}`)}`,
    );
    const body = await rows.arrayBuffer();
    for (let round = 0; round < 2; round++) {
      const query = new URLSearchParams({
        query: `INSERT INTO d.binary (a) FORMAT ${format}`,
        insert_deduplication_token: format,
      });
      expect(await (await fetch(`${server.url}/?${query}`, { method: "POST", body })).text()).toBe("");
    }
  }
  expect(await ask("SELECT a, count() FROM d.binary GROUP BY a ORDER BY a")).toBe("200\t3\n201\t3\n202\t3\n");
});

it("keeps settings and database to the request that brought them", async () => {
  await ask(
    "CREATE TABLE d.tokens (a UInt8) ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 100",
  );
  for (const token of ["x", "x", "y"])
    await ask("INSERT INTO d.tokens VALUES (1)", `insert_deduplication_token=${token}`);
  await ask("INSERT INTO d.tokens VALUES (1)");
  expect(await ask("SELECT count() FROM d.tokens")).toBe("3\n");
  expect(await ask("SELECT currentDatabase()", "database=d&readonly=1")).toBe("d\n");
  expect(await ask("INSERT INTO d.tokens VALUES (1)", "readonly=1")).toContain("(READONLY)");
  await ask("SET max_threads = 3");
  await ask("USE d");
  expect(await ask("SELECT currentDatabase(), getSetting('max_threads') = 3")).toBe("default\t0\n");
});

it("changes nothing by GET, refuses a second statement, unknown settings and databases, as a server does", async () => {
  const byGet = await fetch(`${server.url}/?query=${encodeURIComponent("INSERT INTO d.t VALUES (9, 'x')")}`);
  expect([byGet.headers.get("x-clickhouse-exception-code"), await byGet.text()]).toEqual([
    "164",
    expect.stringContaining("(READONLY)"),
  ]);
  expect(await ask("SELECT 1; DROP TABLE d.t")).toMatch(/^Code: 62\..*Multi-statements/);
  expect(await ask("SELECT 1", "no_such_setting=1")).toMatch(/^Code: 115\./);
  expect(await ask("SELECT 1", "database=nowhere")).toMatch(/^Code: 81\./);
  expect(await ask("SELECT 1", "session_id=a")).toMatch(/^Code: 48\./);
  expect(await ask("SELECT count() > 0 FROM d.t")).toBe("1\n");
});

it("answers cleanly after an answer that broke off", async () => {
  expect(await ask("SELECT throwIf(number = 200000) FROM numbers(300000) FORMAT JSON")).toContain("Code: 395");
  for (let round = 0; round < 3; round++) expect(await ask("SELECT 1")).toBe("1\n");
});
