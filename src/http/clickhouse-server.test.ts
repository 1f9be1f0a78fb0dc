/** What the read-only ClickHouse HTTP interface refuses, with which status and code, and that it is none the worse for it. */

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { openEmbeddedStore } from "../store/embedded.ts";
import { sampleRecords } from "../store/sample-records.ts";
import type { Store } from "../store/store.ts";
import { createReadOnlyEngine } from "./clickhouse-read-only.ts";
import { createClickhouseServer } from "./clickhouse-server.ts";

const directory = mkdtempSync(join(tmpdir(), "burnwatch-clickhouse-server-"));
const outfile = join(directory, "outfile.txt");
const limits = { seconds: 2, rows: 1_000_000, memoryBytes: 500_000_000 };
let store: Store;
let server: Server;
let url: string;

beforeAll(async () => {
  store = await openEmbeddedStore({ directory, rawRetentionDays: 36_500, rollupRetentionMonths: 1200 });
  await store.migrate();
  const records = [...sampleRecords({ count: 500, startMs: Date.UTC(2025, 10, 20), spanMs: 86_400_000 })];
  await store.insert({ token: "clickhouse-server", records });
  const engine = createReadOnlyEngine({ store, database: "burnwatch", limits, wholeAnswerBytesMax: 16_000_000 });
  server = createClickhouseServer({ engine, bodyBytesMax: 1024 * 1024, questionsMax: 8 });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});
/** After each refusal the engine holds what it held, takes more, and answers cleanly on each of its connections. */
afterEach(async () => {
  for (let round = 0; round < 3; round++)
    expect(await post("SELECT count(), sum(calls) > 0 FROM usage")).toMatchObject({ status: 200, text: "500\t1\n" });
  expect(existsSync(outfile)).toBe(false);
});

async function post(body: string, query = "", headers: Record<string, string> = {}) {
  const answer = await fetch(`${url}/?${query}`, { method: "POST", body, headers });
  return { status: answer.status, code: answer.headers.get("x-clickhouse-exception-code"), text: await answer.text() };
}

/** A request with headers that fetch would not send. */
function raw(path: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(`${url}${path}`, { headers }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    sent.on("error", reject).end();
  });
}

describe("the gate refuses over HTTP, as READONLY with 403:", () => {
  const refusals: readonly (readonly [what: string, sql: string, says: RegExp])[] = [
    ["INSERT", "INSERT INTO usage_records (tenant) VALUES ('x')", /begins with INSERT/],
    ["INSERT with rows", 'INSERT INTO usage_records FORMAT JSONEachRow\n{"tenant":"x"}', /INSERT/],
    ["SYSTEM", "SYSTEM SHUTDOWN", /begins with SYSTEM/],
    ["SET", "SET readonly = 0", /begins with SET/],
    ["SETTINGS", "SELECT 1 SETTINGS max_execution_time = 0", /SETTINGS clause/],
    ["DROP", "DROP TABLE usage_records", /begins with DROP/],
    ["CREATE", "CREATE TEMPORARY TABLE t (a UInt8)", /begins with CREATE/],
    ["KILL", "KILL QUERY WHERE 1", /begins with KILL/],
    ["two statements", "SELECT 1; SELECT 2", /second statement/],
    ["INTO OUTFILE", `SELECT 1 INTO OUTFILE '${outfile}'`, /INTO OUTFILE writes a file/],
    ["file()", "SELECT * FROM file('/etc/passwd')", /function file\(\) is refused/],
    ["url()", "SELECT * FROM url('http://127.0.0.1/')", /function url\(\) is refused/],
    ["remote()", "SELECT * FROM remote('127.0.0.1', system.one)", /function remote\(\) is refused/],
    ["s3()", "SELECT * FROM s3('https://bucket.s3.amazonaws.com/x')", /function s3\(\) is refused/],
    ["merge()", "SELECT * FROM merge('system', '.*')", /function merge\(\) is refused/],
    ["executable()", "SELECT * FROM executable('id', TSV, 'a String')", /function executable\(\) is refused/],
    ["system.query_log", "SELECT * FROM system.query_log", /table system\.query_log is refused/],
    ["system.processes", "SELECT * FROM system.processes", /table system\.processes is refused/],
    ["the file system as a database", "SELECT * FROM default.`/etc/passwd`", /database default is refused/],
  ];
  for (const [what, sql, says] of refusals)
    it(what, async () => {
      for (const refused of [await post(sql), await post("", `query=${encodeURIComponent(sql)}`)]) {
        expect(refused).toMatchObject({ status: 403, code: "164" });
        expect(refused.text).toMatch(says);
        expect(refused.text).toMatch(
          /^Code: 164\. DB::Exception: .*\. \(READONLY\) \(version \d+\.\d+.* \(burnwatch\)\)\n$/s,
        );
      }
    });

  it("a second statement in the body behind a whole one in the URL", async () => {
    expect(await post("; SELECT 2", "query=SELECT+1")).toMatchObject({ status: 403, code: "164" });
  });

  it("a refused name that arrives as a parameter", async () => {
    const refused = await post("SELECT * FROM {t:Identifier}", "param_t=system.query_log");
    expect(refused).toMatchObject({ status: 403, code: "164" });
    const quoted = await post("SELECT * FROM {t:Identifier}", "param_t=a%60%2C+system.users");
    expect(quoted).toMatchObject({ status: 500, code: "457" });
    const mapped = await post("SELECT {m:Map(String, String)}", "param_m=%7B'k'%3Afile('/etc/passwd')%7D");
    expect(mapped).toMatchObject({ status: 500, code: "457" });
  });
});

describe("limits hold over HTTP", () => {
  it("for a query of a minute", async () => {
    const begun = Date.now();
    const slow = await post("SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1 FORMAT JSON");
    expect(slow).toMatchObject({ status: 408, code: "159" });
    expect(slow.text).toContain("(TIMEOUT_EXCEEDED)");
    expect(Date.now() - begun).toBeLessThan(10_000);
  });
  it("for a result of a billion rows, in formats that go out whole and in those that go out in pieces", async () => {
    for (const format of ["JSON", "TSV", "JSONEachRow", "Native"]) {
      const refused = await post(`SELECT number FROM numbers(1000000000) FORMAT ${format}`, "max_execution_time=60");
      expect(refused, format).toMatchObject({ status: 500, code: "396" });
      expect(refused.text, format).toContain("(TOO_MANY_ROWS_OR_BYTES)");
    }
  });
  it("for memory, and for the bytes of an answer that cannot go out in pieces", async () => {
    const greedy = await post("SELECT groupArray(toString(number)) FROM numbers(1000000000)");
    expect(greedy).toMatchObject({ status: 500, code: "241" });
    const wide = await post("SELECT repeat('x', 1000 + number % 2) FROM numbers(100000) FORMAT JSON");
    expect(wide).toMatchObject({ status: 500, code: "396" });
  });
  it("for what the engine does not count: the text of an answer, and constant columns", async () => {
    const before = process.memoryUsage.rss();
    const names =
      "number AS a_column_with_a_very_long_name_indeed, number AS another_column_with_a_very_long_name_indeed";
    const text = await post(
      `SELECT ${names}, repeat('x', 2000) AS text FROM numbers(1000000) FORMAT JSON`,
      "max_memory_usage=200000000",
    );
    expect([text.status, ["241", "396"].includes(text.code ?? "")]).toEqual([500, true]);
    expect(process.memoryUsage.rss() - before).toBeLessThan(2_000_000_000);
  });
  it("as a client lowers them, and never as it raises them", async () => {
    const sql = "SELECT * FROM numbers(100)";
    expect(await post(sql, "max_result_rows=10")).toMatchObject({ status: 500, code: "396" });
    const broken = await post(`${sql} FORMAT JSON`, "max_result_rows=10&result_overflow_mode=break");
    expect(broken.status).toBe(200);
    expect(await post("SELECT number FROM numbers(1000000000)", "max_result_rows=0")).toMatchObject({ code: "396" });
    expect(await post(sql, "max_execution_time=soon")).toMatchObject({ code: "471" });
    const begun = Date.now();
    const endless = "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1";
    expect(await post(endless, "max_execution_time=3600")).toMatchObject({ status: 408 });
    expect(Date.now() - begun).toBeLessThan(10_000);
  });
  it("for the body and for questions at once", async () => {
    expect((await post(`SELECT '${"x".repeat(1_100_000)}'`)).status).toBe(413);
    const slow = "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1";
    const crowd = await Promise.all(Array.from({ length: 12 }, () => post(slow, "max_execution_time=1")));
    const codes = crowd.map(({ code }) => code);
    expect(codes.filter((code) => code === "202")).toHaveLength(4);
    expect(codes.filter((code) => code === "159")).toHaveLength(8);
  });
});

describe("settings beside a query", () => {
  it("shape the answer of that request and of no other", async () => {
    const sql = "SELECT toDecimal64(1.5, 2) AS d, 9007199254740993 AS n FORMAT JSONEachRow";
    expect((await post(sql)).text).toBe('{"d":"1.5","n":9007199254740993}\n');
    const shaped = "output_format_json_quote_decimals=0&output_format_json_quote_64bit_integers=1";
    expect((await post(sql, shaped)).text).toBe('{"d":1.5,"n":"9007199254740993"}\n');
    for (let round = 0; round < 3; round++) expect((await post(sql)).text).toBe('{"d":"1.5","n":9007199254740993}\n');
    expect((await post("SELECT 1, 2 FORMAT CSV", "format_csv_delimiter=%3B")).text).toBe("1;2\n");
    const zone = await fetch(`${url}/?query=SELECT+toDateTime(0)&session_timezone=Asia/Kolkata`);
    expect([await zone.text(), zone.headers.get("x-clickhouse-timezone")]).toEqual([
      "1970-01-01 05:30:00\n",
      "Asia/Kolkata",
    ]);
  });
  it("are refused when they would change more than the answer", async () => {
    const cases: readonly (readonly [query: string, status: number, code: string])[] = [
      ["readonly=0", 403, "164"],
      ["format_schema=/etc/passwd", 403, "164"],
      ["output_format_schema=/tmp/x", 403, "164"],
      ["format_template_row=/etc/passwd", 403, "164"],
      ["format_display_secrets_in_show_and_select=1", 403, "164"],
      ["allow_experimental_object_type=1", 403, "164"],
      ["dialect=kusto", 403, "164"],
      ["no_such_setting=1", 404, "115"],
      ["compress=1", 501, "48"],
      ["role=admin", 404, "511"],
      ["format_csv_delimiter=%0ASET+readonly%3D0", 500, "471"],
    ];
    for (const [query, status, code] of cases)
      expect(await post("SELECT 1", query), query).toMatchObject({ status, code });
  });
  it("that only tune a server, or open a session, are ignored and named", async () => {
    const answer = await fetch(
      `${url}/?query=SELECT+1&session_id=a&wait_end_of_query=1&max_threads=8&compress=0&readonly=1`,
    );
    expect(await answer.text()).toBe("1\n");
    expect(answer.headers.get("x-burnwatch-ignored")).toBe("session_id, wait_end_of_query, max_threads, readonly");
  });
});

describe("the server", () => {
  it("answers under loopback names only, and no page of another origin", async () => {
    expect(await raw("/ping", { host: "evil.example" })).toBe(403);
    expect(await raw("/ping", { host: "localhost:8123" })).toBe(200);
    expect(await raw("/?query=SELECT+1", { origin: "https://evil.example" })).toBe(403);
    expect(await raw("/?query=SELECT+1", { origin: "null" })).toBe(403);
    expect(await raw("/?query=SELECT+1", { origin: "http://localhost:3000" })).toBe(200);
  });
  it("knows one database, also as default", async () => {
    for (const database of ["", "default", "burnwatch"])
      expect((await post("SELECT count() FROM usage", `database=${database}`)).text).toBe("500\n");
    expect((await post("SELECT 1", "", { "X-ClickHouse-Database": "burnwatch" })).text).toBe("1\n");
    expect(await post("SELECT 1", "database=system")).toMatchObject({ status: 404, code: "81" });
  });
  it("says how much an answer was and how long it took", async () => {
    const answer = await fetch(`${url}/?query=SELECT+1`, { headers: { "accept-encoding": "identity" } });
    expect(JSON.parse(answer.headers.get("x-clickhouse-summary") ?? "")).toEqual({
      result_bytes: "2",
      elapsed_ns: expect.stringMatching(/^\d+$/),
    });
    expect(answer.headers.get("content-length")).toBe("2");
  });
  it("refuses other methods, bodies that are no text, and nothing at all", async () => {
    expect((await fetch(url, { method: "DELETE" })).status).toBe(405);
    expect((await fetch(url, { method: "HEAD" })).status).toBe(200);
    expect((await fetch(url, { method: "POST", body: new Uint8Array([0xff, 0xfe]) })).status).toBe(400);
    expect(await post("")).toMatchObject({ status: 400, code: "62" });
  });
});
