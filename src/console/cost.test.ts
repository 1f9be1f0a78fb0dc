import { afterEach, beforeEach, expect, test } from "vitest";
import { cost } from "./cost.ts";
import { runForTest, startTestServer, type TestServer } from "./test-server.ts";

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server.stop());

const run = (args: string[], options = {}) => runForTest(cost, [...args, "--api", server.url], options);

const row = (fields: object) => ({
  calls: 1,
  input_tokens: 1000,
  cache_read_tokens: 600,
  cache_write_tokens: 0,
  output_tokens: 50,
  reasoning_tokens: 0,
  cost_usd: "0.001500001",
  unpriced_calls: 0,
  cost_input_usd: "0.001000000",
  cost_cache_read_usd: "0.000060000",
  cost_cache_write_usd: "0.000000000",
  cost_output_usd: "0.000440001",
  cost_reasoning_usd: "0.000000000",
  cost_other_usd: "0.000000000",
  ...fields,
});
const answer = (rows: object[]) => ({ body: { rows, completeness: 0.9997, unpriced_share: 0.004, lag_seconds: 2 } });

test("prints a table with a sum and how far to trust it", async () => {
  server.answers["GET /api/v1/cost"] = answer([
    row({ tenant: "acme", model: "gpt-4o", calls: 12_345, cost_usd: "1234.500000001" }),
    row({ tenant: null, model: "mystery", cost_usd: null, unpriced_calls: 1 }),
  ]);
  const { code, out } = await run([
    "--by",
    "tenant,model",
    "--since",
    "7d",
    "--where",
    "a=b",
    "--where",
    "c=d",
    "--limit",
    "5",
  ]);
  expect(code).toBe(0);
  expect(out).toBe(
    [
      "tenant    model     calls  input  cached  output       cost  unpriced",
      "────────  ───────  ──────  ─────  ──────  ──────  ─────────  ────────",
      "acme      gpt-4o   12,345  1,000     600      50  $1,234.50         0",
      "(none)    mystery       1  1,000     600      50    unknown         1",
      "sum of 2           12,346  2,000   1,200     100  $1,234.50         1",
      "99.97 % accounted · 0.4 % unpriced · lag 2 s",
      "",
    ].join("\n"),
  );
  expect(server.asked[0]?.query.toString()).toBe("by=tenant%2Cmodel&since=7d&where=a%3Db&where=c%3Dd&limit=5&split=0");
});

test("shows what a cost is made of, with a sum of each part", async () => {
  const unknown = Object.fromEntries(
    Object.keys(row({})).flatMap((name) => (/^cost_/.test(name) ? [[name, null]] : [])),
  );
  server.answers["GET /api/v1/cost"] = answer([
    row({ model: "a", cost_usd: "2.500000000", cost_input_usd: "1.250000000", cost_other_usd: "1.249000000" }),
    row({ model: "b", cost_usd: "0.001500001" }),
    row({ model: "mystery", ...unknown, unpriced_calls: 1 }),
  ]);
  const { out } = await run(["--split"]);
  expect(server.asked[0]?.query.toString()).toBe("by=model&since=24h");
  expect(
    out
      .split("\n")
      .slice(0, 6)
      .map((line) => line.trimEnd()),
  ).toEqual([
    "model     calls       cost    input $  cache read $  cache write $    output $  reasoning $  other $  unpriced",
    "────────  ─────  ─────────  ─────────  ────────────  ─────────────  ──────────  ───────────  ───────  ────────",
    "a             1      $2.50      $1.25   $0.00006000             $0  $0.0004400           $0    $1.25         0",
    "b             1  $0.001500  $0.001000   $0.00006000             $0  $0.0004400           $0       $0         0",
    "mystery       1    unknown    unknown       unknown        unknown     unknown      unknown  unknown         1",
    "sum of 3      3      $2.50      $1.25    $0.0001200             $0  $0.0008800           $0    $1.25         1",
  ]);
});

test("by default asks for the models of the last day", async () => {
  server.answers["GET /api/v1/cost"] = answer([row({ model: "m" })]);
  const { out } = await run([]);
  expect(server.asked[0]?.query.toString()).toBe("by=model&since=24h&split=0");
  expect(out).not.toContain("sum of");
  expect(out).not.toContain("unpriced  ");
});

test("fits a narrow terminal", async () => {
  server.answers["GET /api/v1/cost"] = answer([row({ model: "a-very-long-name-of-a-model-that-does-not-fit" })]);
  const { out } = await run([], { columns: 60, env: { NO_COLOR: "1" } });
  expect(out).toContain("…");
  for (const line of out.split("\n")) expect(line.length).toBeLessThanOrEqual(60);
});

test("prints JSON as the server has it", async () => {
  const rows = [row({ model: "m", cost_usd: "9007199.254740993" })];
  server.answers["GET /api/v1/cost"] = answer(rows);
  const { out } = await run(["--json"]);
  expect(JSON.parse(out)).toEqual({ rows, completeness: 0.9997, unpriced_share: 0.004, lag_seconds: 2 });
});

test("prints CSV with exact amounts and quoted names", async () => {
  server.answers["GET /api/v1/cost"] = answer([row({ feature: 'a "b", c' }), row({ feature: null, cost_usd: null })]);
  expect((await run(["--by", "feature", "--csv"])).out).toBe(
    [
      "feature,calls,input_tokens,cache_read_tokens,cache_write_tokens,output_tokens,reasoning_tokens,cost_usd,unpriced_calls,cost_input_usd,cost_cache_read_usd,cost_cache_write_usd,cost_output_usd,cost_reasoning_usd,cost_other_usd",
      '"a ""b"", c",1,1000,600,0,50,0,0.001500001,0,0.001000000,0.000060000,0.000000000,0.000440001,0.000000000,0.000000000',
      ",1,1000,600,0,50,0,,0,0.001000000,0.000060000,0.000000000,0.000440001,0.000000000,0.000000000",
      "",
    ].join("\n"),
  );
});

test("an empty answer says how to send something", async () => {
  server.answers["GET /api/v1/cost"] = { body: { rows: [], completeness: null, unpriced_share: null, lag_seconds: 0 } };
  const { out } = await run([]);
  expect(out).toContain("No calls since 24h.\nSend some: ");
  expect(out).toMatch(/accounted unknown · unpriced unknown · lag 0 s\n$/);
  expect((await run(["--where", "tenant=x"])).out).toContain("No calls since 24h where tenant=x.\naccounted");
});

test.each([
  [["--where", "tenant"], "--where tenant: expected DIMENSION=VALUE"],
  [["--limit", "0"], "--limit 0: expected a whole number above 0"],
  [["--json", "--csv"], "--json and --csv exclude each other"],
])("%j is wrong usage", async (args, message) => {
  expect(await run(args)).toMatchObject({ code: 2, err: expect.stringContaining(message) });
  expect(server.asked).toEqual([]);
});

test("the server's complaint is printed with its hint", async () => {
  const error = { message: 'unknown dimension "modle"', hint: 'did you mean "model"?' };
  server.answers["GET /api/v1/cost"] = { status: 400, body: { error } };
  expect(await run(["--by", "modle"])).toMatchObject({
    code: 1,
    out: "",
    err: 'burnwatch cost: unknown dimension "modle"\n  did you mean "model"?\n',
  });
});
