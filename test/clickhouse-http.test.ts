/** The ClickHouse HTTP interface as clients see it that nobody here wrote: @clickhouse/client, curl, Grafana's queries. */

import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gunzipSync, gzipSync, zstdDecompressSync } from "node:zlib";
import { ClickHouseError, ClickHouseLogLevel, createClient } from "@clickhouse/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createReadOnlyEngine } from "../src/http/clickhouse-read-only.ts";
import { createClickhouseServer } from "../src/http/clickhouse-server.ts";
import { openEmbeddedStore } from "../src/store/embedded.ts";
import { sampleRecords } from "../src/store/sample-records.ts";
import type { Store } from "../src/store/store.ts";
import { freePort, settle, startBurnwatch } from "./support/burnwatch.ts";
import { exportRequest, postUntilAcked } from "./support/load.ts";

const run = promisify(execFile);
const directory = mkdtempSync(join(tmpdir(), "burnwatch-clickhouse-http-"));
const limits = { seconds: 5, rows: 1_000_000, memoryBytes: 1_000_000_000 };
const rows = 2000;
let store: Store;
let server: Server;
let url: string;

beforeAll(async () => {
  store = await openEmbeddedStore({ directory, rawRetentionDays: 36_500, rollupRetentionMonths: 1200 });
  await store.migrate();
  const records = [...sampleRecords({ count: rows, startMs: Date.UTC(2025, 10, 20), spanMs: 86_400_000 })];
  await store.insert({ token: "clickhouse-http", records });
  const engine = createReadOnlyEngine({ store, database: "burnwatch", limits, wholeAnswerBytesMax: 64_000_000 });
  server = createClickhouseServer({ engine, bodyBytesMax: 1024 * 1024, questionsMax: 32 });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

function client(options: NonNullable<Parameters<typeof createClient>[0]> = {}) {
  return createClient({ url, log: { level: ClickHouseLogLevel.OFF }, ...options });
}

async function post(sql: string, query = ""): Promise<{ status: number; code: string | null; text: string }> {
  const answer = await fetch(`${url}/?${query}`, { method: "POST", body: sql });
  return { status: answer.status, code: answer.headers.get("x-clickhouse-exception-code"), text: await answer.text() };
}

async function curl(...words: readonly string[]): Promise<string> {
  const { stdout } = await run("curl", ["-sS", "--globoff", "-m", "20", ...words], { encoding: "utf8" });
  return stdout;
}

describe("@clickhouse/client over HTTP", () => {
  it("pings, by both its ways", async () => {
    const asker = client();
    expect(await asker.ping()).toEqual({ success: true });
    expect(await asker.ping({ select: true })).toEqual({ success: true });
    await asker.close();
  });

  it("reads rows as JSONEachRow, JSON and CSV, with the id and the headers of its query", async () => {
    const asker = client({ database: "burnwatch" });
    const query = "SELECT tenant, sum(calls) AS calls FROM usage GROUP BY tenant ORDER BY calls DESC, tenant LIMIT 2";
    const asRows = await asker.query({ query, format: "JSONEachRow", query_id: "mine-1" });
    expect(asRows.query_id).toBe("mine-1");
    expect(asRows.response_headers).toMatchObject({
      "x-clickhouse-query-id": "mine-1",
      "x-clickhouse-format": "JSONEachRow",
      "x-clickhouse-server-display-name": "burnwatch",
      "content-type": "application/x-ndjson; charset=UTF-8",
    });
    const found = await asRows.json<{ tenant: string; calls: number }>();
    expect(found).toHaveLength(2);
    const asJson = await (await asker.query({ query, format: "JSON" })).json<{ tenant: string }>();
    expect(asJson).toMatchObject({ rows: 2, data: found });
    const asCsv = await (await asker.query({ query, format: "CSV" })).text();
    expect(asCsv).toBe(found.map(({ tenant, calls }) => `"${tenant}",${calls}\n`).join(""));
    await asker.close();
  });

  it("streams more rows than are held at once, with and without compression", async () => {
    for (const compression of [false, true]) {
      const asker = client({ compression: { response: compression, request: false } });
      const result = await asker.query({
        query: "SELECT number, repeat('x', 90) AS text FROM numbers(300000)",
        format: "JSONEachRow",
      });
      expect(result.response_headers["content-encoding"]).toBe(compression ? "gzip" : undefined);
      let sum = 0;
      for await (const part of result.stream<{ number: number }>())
        for (const row of part) sum += Number(row.json<{ number: number }>().number);
      expect(sum).toBe((300_000 * 299_999) / 2);
      await asker.close();
    }
  });

  it("binds parameters of every kind as values, never as SQL", async () => {
    const asker = client();
    const odd = "'); DROP TABLE usage_records; -- \\ \t\n {x:String} 'é'";
    const result = await asker.query({
      query: `SELECT {odd:String} AS odd, {n:UInt32} + 1 AS n, {list:Array(String)} AS list, {none:Nullable(String)} AS none,
        {map:Map(String, UInt8)} AS map, {at:DateTime64(3, 'UTC')} AS at, {yes:Bool} AS yes, '{odd:String}' AS quoted
        FROM {table:Identifier} LIMIT {limit:UInt8}`,
      query_params: {
        ...{ odd, n: 41, list: ["a", "b'c\n"], none: null, map: { k: 1 }, at: new Date(1_763_625_600_123), yes: true },
        ...{ table: "usage", limit: 1 },
      },
      format: "JSONEachRow",
    });
    expect(await result.json()).toEqual([
      {
        ...{ odd, n: 42, list: ["a", "b'c\n"], none: null, map: { k: 1 }, at: "2025-11-20 08:00:00.123", yes: true },
        quoted: "{odd:String}",
      },
    ]);
    const missing = asker.query({ query: "SELECT {missing:String}" });
    await expect(missing).rejects.toMatchObject({ code: "456", type: "UNKNOWN_QUERY_PARAMETER" });
    const forged = asker.query({ query: "SELECT 1 FROM {t:Identifier}", query_params: { t: "system.query_log" } });
    await expect(forged).rejects.toMatchObject({ code: "164", type: "READONLY" });
    await asker.close();
  });

  it("sends long parameters as a form", async () => {
    const asker = client();
    const long = "x".repeat(20_000);
    const result = await asker.query({
      query: "SELECT length({long:String}) AS length",
      query_params: { long },
      format: "JSONEachRow",
      use_multipart_params: true,
    });
    expect(await result.json()).toEqual([{ length: 20_000 }]);
    await asker.close();
  });

  it("gets errors as its own ClickHouseError, with code and type", async () => {
    const asker = client();
    const cases: readonly (readonly [query: string, code: string, type: string])[] = [
      ["SELECT nope FROM usage", "47", "UNKNOWN_IDENTIFIER"],
      ["SELECT * FROM nothing_here", "60", "UNKNOWN_TABLE"],
      ["SELECT FROM WHERE", "62", "SYNTAX_ERROR"],
      ["SELECT nope(1)", "46", "UNKNOWN_FUNCTION"],
      ["SELECT throwIf(1)", "395", "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"],
      ["INSERT INTO usage_records (tenant) VALUES ('x')", "164", "READONLY"],
    ];
    for (const [query, code, type] of cases) {
      const error: unknown = await asker.query({ query, format: "JSONEachRow" }).catch((refused: unknown) => refused);
      expect(error, query).toBeInstanceOf(ClickHouseError);
      expect(error, query).toMatchObject({ code, type });
    }
    await expect(client({ username: "bob", password: "x" }).query({ query: "SELECT 1" })).rejects.toMatchObject({
      code: "516",
      type: "AUTHENTICATION_FAILED",
    });
    await asker.close();
  });

  it("learns of an error in the middle of a stream", async () => {
    const asker = client();
    const result = await asker.query({
      query: "SELECT number, repeat('x', 100) AS text, throwIf(number = 900000) AS bad FROM numbers(950000)",
      format: "JSONEachRow",
    });
    await expect(
      (async () => {
        for await (const part of result.stream()) expect(part.length).toBeGreaterThan(0);
      })(),
    ).rejects.toMatchObject({ code: "395", type: "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO" });
    await asker.close();
  });

  it("ends the work in the engine when it aborts, before rows and among them", async () => {
    const asker = client();
    const left = new AbortController();
    const endless = asker.query({
      query: "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1",
      abort_signal: left.signal,
    });
    endless.catch(() => undefined);
    await untilRunning(1);
    left.abort();
    await expect(endless).rejects.toThrow(/abort/i);
    await untilRunning(0);
    const stream = await asker.query({
      query: "SELECT number, repeat('x', 100) AS text FROM numbers(1000000)",
      format: "JSONEachRow",
    });
    stream.close();
    await untilRunning(0);
    await asker.close();
  });
});

/** Waits until so many of people's statements run in the engine. */
async function untilRunning(count: number): Promise<void> {
  for (let attempt = 0; attempt < 1000; attempt++) {
    const running = await store.query(
      "SELECT 1 FROM system.processes WHERE query LIKE '%numbers(1000000%' AND query NOT LIKE '%system.processes%'",
    );
    if (running.length === count) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`never ${count} statements at once`);
}

describe("curl", () => {
  it("gets Ok. from / and /ping, and an address for anything else", async () => {
    expect(await curl(`${url}/`)).toBe("Ok.\n");
    expect(await curl(`${url}/ping`)).toBe("Ok.\n");
    expect(await curl(`${url}/replicas_status`)).toBe("Ok.\n");
    expect(await curl(`${url}/play`)).toContain("There is no handle /play");
  });

  it("asks by GET, by POST and by both, joined with a line feed", async () => {
    expect(await curl(`${url}/?query=SELECT+1`)).toBe("1\n");
    expect(await curl(url, "-d", "SELECT 1")).toBe("1\n");
    expect(await curl(`${url}/?query=SELECT`, "-d", "1")).toBe("1\n");
    expect(await curl(`${url}/?query=SEL`, "-d", "ECT 1")).toContain("Code: 164");
    expect(await curl(`${url}/?param_x=41`, "-d", "SELECT {x:UInt8} + 1")).toBe("42\n");
    expect(await curl(url, "-F", "query=SELECT {x:UInt8} + 1", "-F", "param_x=41")).toBe("42\n");
  });

  it("gets any format of the engine, named in the statement, the URL or a header", async () => {
    const query = "SELECT 1 AS one, 'a' AS text";
    const formats: readonly (readonly [format: string, body: RegExp])[] = [
      ["TabSeparated", /^1\ta\n$/],
      ["TSVWithNames", /^one\ttext\n1\ta\n$/],
      ["CSV", /^1,"a"\n$/],
      ["CSVWithNames", /^"one","text"\n1,"a"\n$/],
      ["JSON", /"rows": 1,/],
      ["JSONCompact", /\[1, "a"\]/],
      ["JSONEachRow", /^\{"one":1,"text":"a"\}\n$/],
      ["JSONCompactEachRow", /^\[1, "a"\]\n$/],
      ["JSONCompactEachRowWithNamesAndTypes", /^\["one", "text"\]\n\["UInt8", "String"\]\n\[1, "a"\]\n$/],
      ["Vertical", /Row 1:\n─+\none: {2}1\ntext: a\n/],
      ["PrettyCompact", /│\s+1 │ a\s+│/],
      ["Markdown", /\| 1 \| a \|/],
      ["XML", /<one>1<\/one>/],
      ["Values", /^\(1,'a'\)$/],
      ["Parquet", /^PAR1.*PAR1$/s],
      ["Native", /one.*UInt8.*text.*String/s],
      ["RowBinary", /^..a$/s],
    ];
    for (const [format, body] of formats) {
      expect(await curl(url, "-d", `${query} FORMAT ${format}`), format).toMatch(body);
      expect(await curl(`${url}/?default_format=${format}`, "-d", query), format).toMatch(body);
      expect(await curl(url, "-H", `X-ClickHouse-Format: ${format}`, "-d", query), format).toMatch(body);
    }
    const unknown = await post("SELECT 1 FORMAT Nonsense");
    expect(unknown).toMatchObject({ status: 404, code: "73", text: expect.stringContaining("(UNKNOWN_FORMAT)") });
    expect((await post("SELECT 1 FORMAT MySQLWire")).code).toBe("73");
  });

  it("compresses both ways", async () => {
    for (const compressed of ["gzip", "zstd", "br", "deflate"]) {
      const head = await curl(
        "-i",
        "-o",
        "/dev/null",
        "-D",
        "-",
        "-H",
        `Accept-Encoding: ${compressed}`,
        `${url}/?query=SELECT+1`,
      );
      expect(head.toLowerCase()).toContain(`content-encoding: ${compressed}`);
    }
    expect(await curl("--compressed", `${url}/?query=SELECT+1`)).toBe("1\n");
    const raw = async (encoding: string, query = "") => {
      const path = join(directory, "answer");
      await curl("-o", path, "-H", `Accept-Encoding: ${encoding}`, `${url}/?query=SELECT+1${query}`);
      return readFileSync(path);
    };
    expect(gunzipSync(await raw("gzip")).toString()).toBe("1\n");
    expect(zstdDecompressSync(await raw("zstd")).toString()).toBe("1\n");
    expect((await raw("gzip", "&enable_http_compression=0")).toString()).toBe("1\n");
    const body = gzipSync("SELECT 1");
    const sent = await fetch(url, { method: "POST", body, headers: { "content-encoding": "gzip" } });
    expect(await sent.text()).toBe("1\n");
    const odd = await fetch(url, { method: "POST", body, headers: { "content-encoding": "lz4" } });
    expect([odd.status, odd.headers.get("x-clickhouse-exception-code")]).toEqual([415, "89"]);
  });

  it("is let in as default without a password, in all the ways there are to say so", async () => {
    const ways = [
      ["-u", "default:"],
      ["-H", "X-ClickHouse-User: default", "-H", "X-ClickHouse-Key;"],
      ["--url-query", "user=default", "--url-query", "password="],
    ];
    for (const way of ways) expect(await curl(...way.slice(0, 2), ...way.slice(2), url, "-d", "SELECT 1")).toBe("1\n");
    for (const way of [
      ["-u", "default:secret"],
      ["-H", "X-ClickHouse-User: admin"],
      ["-H", "Authorization: Bearer x"],
    ])
      expect(await curl(...way, url, "-d", "SELECT 1")).toMatch(
        /^Code: 516\. DB::Exception: .*\(AUTHENTICATION_FAILED\)/,
      );
  });
});

describe("Grafana's datasource and BI tools", () => {
  it("get what they ask when they connect", async () => {
    const asked: readonly (readonly [sql: string, answer: RegExp])[] = [
      ["SELECT 1", /^1\n$/],
      ["SELECT version()", /^\d+\.\d+/],
      ["SELECT timezone()", /^\w+/],
      ["SELECT timeZone()", /^\w+/],
      ["SELECT currentUser()", /^default\n$/],
      ["SELECT currentDatabase()", /^burnwatch\n$/],
      ["SELECT displayName(), version(), revision(), timezone()", /\t/],
      ["SHOW DATABASES", /^burnwatch$/m],
      ["SHOW TABLES", /^usage$/m],
      ["SHOW TABLES FROM burnwatch", /^usage_by_day$/m],
      ["DESCRIBE TABLE usage", /^cost_usd\tNullable/m],
      ["DESC burnwatch.usage_by_hour", /^hour\t/m],
      ["SHOW CREATE TABLE usage", /CREATE VIEW/],
      ["SELECT name FROM system.databases ORDER BY name", /^burnwatch$/m],
      ["SELECT name, engine FROM system.tables WHERE database = 'burnwatch'", /^usage\tView$/m],
      ["SELECT name, type FROM system.columns WHERE database = 'burnwatch' AND table = 'usage'", /^tenant\t/m],
      ["SELECT name, value, readonly FROM system.settings WHERE name = 'max_threads'", /^max_threads\t/],
      ["SELECT table_name FROM information_schema.tables WHERE table_schema = 'burnwatch'", /^usage$/m],
    ];
    for (const [sql, answer] of asked) expect((await post(sql)).text, sql).toMatch(answer);
  });

  it("get time series, by GET, by POST and in the formats they use", async () => {
    const from = Date.UTC(2025, 10, 20) / 1000;
    const series = `SELECT toStartOfInterval(ts, INTERVAL 3600 second) as time, sum(cost_usd) as cost, sum(calls) as calls
      FROM usage WHERE ts >= toDateTime(${from}) AND ts <= toDateTime(${from + 86_400}) GROUP BY time ORDER BY time`;
    const byPost = JSON.parse((await post(`${series} FORMAT JSON`)).text) as {
      meta: { name: string; type: string }[];
      data: { time: string; cost: string; calls: string }[];
      rows: number;
    };
    expect(byPost.meta.map(({ name }) => name)).toEqual(["time", "cost", "calls"]);
    expect(byPost.rows).toBe(24);
    expect(byPost.data[0]?.time).toBe("2025-11-20 00:00:00");
    const byGet = await fetch(
      `${url}/?query=${encodeURIComponent(series)}&default_format=JSONCompact&database=default`,
    );
    const compact = (await byGet.json()) as { data: [string, string, string][] };
    expect(compact.data).toEqual(byPost.data.map(({ time, cost, calls }) => [time, cost, calls]));
    const [total] = await store.query<{ cost: string }>("SELECT sum(cost_usd) AS cost FROM usage");
    const nano = (cost: string) => BigInt(Math.round(Number(cost) * 1e9));
    expect(byPost.data.reduce((sum, { cost }) => sum + nano(cost), 0n)).toBe(nano(total?.cost ?? ""));
    const perModel =
      await post(`SELECT toUnixTimestamp(toStartOfMinute(ts)) * 1000 as t, groupArray((model, cost)) as groups FROM
      (SELECT ts, model, sum(cost_usd) AS cost FROM usage WHERE ts BETWEEN toDateTime64(${from}, 3) AND toDateTime64(${from + 3600}, 3)
       GROUP BY ts, model) GROUP BY t ORDER BY t FORMAT JSON`);
    expect(perModel.status).toBe(200);
    const settings =
      "max_execution_time=60&readonly=2&send_progress_in_http_headers=0&log_comment=grafana&session_id=x";
    const asked = await fetch(`${url}/?${settings}`, { method: "POST", body: `${series} FORMAT Native` });
    expect([asked.status, asked.headers.get("x-clickhouse-format")]).toEqual([200, "Native"]);
    expect(asked.headers.get("x-burnwatch-ignored")).toBe(
      "readonly, send_progress_in_http_headers, log_comment, session_id",
    );
  });
});

describe("burnwatch serve", () => {
  it("answers any ClickHouse client about the spans it was sent, and closes the interface when told", async () => {
    const port = await freePort();
    const environment = { BURNWATCH_CLICKHOUSE_HTTP: `127.0.0.1:${port}` };
    const burnwatch = await startBurnwatch({ environment });
    try {
      const { body, sent } = exportRequest(50, Date.now(), "acme");
      await postUntilAcked(burnwatch.tracesUrl, body);
      await settle(burnwatch.apiUrl);
      const asker = createClient({ url: `http://127.0.0.1:${port}`, database: "burnwatch" });
      const result = await asker.query({
        query: "SELECT sum(calls) AS calls, sum(cost_usd) AS cost FROM usage WHERE tenant = {tenant:String}",
        query_params: { tenant: "acme" },
        format: "JSONEachRow",
        clickhouse_settings: { output_format_json_quote_64bit_integers: 0 },
      });
      const nano = sent.reduce((sum, { nanoUsd }) => sum + nanoUsd, 0);
      const [row] = await result.json<{ calls: number; cost: string }>();
      expect([row?.calls, Math.round(Number(row?.cost) * 1e9)]).toEqual([50, nano]);
      await asker.close();
      expect(await burnwatch.stop()).toBe(0);
    } finally {
      await burnwatch.remove();
    }
  }, 60_000);
});
