import { afterEach, beforeEach, expect, test } from "vitest";
import { sql } from "./sql.ts";
import { runForTest, startTestServer, type TestServer } from "./test-server.ts";

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server.stop());

const run = (args: string[], options = {}) => runForTest(sql, [...args, "--api", server.url], options);
const headers = {
  "x-burnwatch-completeness": "1",
  "x-burnwatch-unpriced-share": "0",
  "x-burnwatch-lag-seconds": "1.5",
};
const asked = () => JSON.parse(server.asked[0]?.body ?? "");

test("prints a table whose numbers keep all their digits", async () => {
  const body = {
    meta: [
      { name: "model", type: "LowCardinality(String)" },
      { name: "cost", type: "Nullable(Decimal(38, 9))" },
    ],
    data: [
      ["gpt-4o", "123456789012345678.123456789"],
      ["o1", "0"],
    ],
  };
  server.answers["POST /api/v1/sql"] = { headers, body };
  const { code, out } = await run(["SELECT 1"]);
  expect(code).toBe(0);
  expect(asked()).toEqual({ query: "SELECT 1", format: "JSONCompactStrings" });
  expect(out).toBe(
    [
      "model                           cost",
      "──────  ────────────────────────────",
      "gpt-4o  123456789012345678.123456789",
      "o1                                 0",
      "2 rows · 100 % accounted · 0 % unpriced · lag 1.5 s",
      "",
    ].join("\n"),
  );
});

test("a format is passed on and its bytes are printed as they are", async () => {
  server.answers["POST /api/v1/sql"] = { headers, body: "a,b\n1,2\n" };
  expect((await run(["SELECT 1", "--format", "CSVWithNames"])).out).toBe("a,b\n1,2\n");
  expect(asked()).toEqual({ query: "SELECT 1", format: "CSVWithNames" });
});

test("--json is the format JSON", async () => {
  server.answers["POST /api/v1/sql"] = { headers, body: '{"data":[]}\n' };
  expect((await run(["SELECT 1", "--json"])).out).toBe('{"data":[]}\n');
  expect(asked().format).toBe("JSON");
});

test("the statement may come from the standard input", async () => {
  server.answers["POST /api/v1/sql"] = { body: { meta: [], data: [] } };
  const { out } = await run([], { stdin: "SELECT 2\n" });
  expect(asked().query).toBe("SELECT 2");
  expect(out).toBe("0 rows · accounted unknown · unpriced unknown · lag unknown\n");
});

test.each([
  [[], undefined, "no statement given"],
  [[" "], undefined, "the statement is empty"],
  [[], "", "the statement is empty"],
  [["SELECT 1", "--json", "--format", "CSV"], undefined, "--json and --format exclude each other"],
])("%j with %j on the standard input is wrong usage", async (args, stdin, message) => {
  const { code, err } = await run(args, stdin === undefined ? {} : { stdin });
  expect(code).toBe(2);
  expect(err).toContain(message);
  expect(err).toContain('usage: burnwatch sql ["SELECT ..."] [options]');
});

test("a refused statement is printed with its hint", async () => {
  const error = { message: "only one SELECT, SHOW, DESCRIBE or EXPLAIN is allowed", hint: "found INSERT" };
  server.answers["POST /api/v1/sql"] = { status: 400, body: { error } };
  expect(await run(["INSERT INTO x"])).toMatchObject({
    code: 1,
    err: `burnwatch sql: ${error.message}\n  found INSERT\n`,
  });
});

test("an answer that is no table is said to be none", async () => {
  server.answers["POST /api/v1/sql"] = { body: "oops" };
  expect(await run(["SELECT 1"])).toMatchObject({
    code: 1,
    err: expect.stringContaining("something else than expected"),
  });
});
