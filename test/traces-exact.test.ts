/**
 * The main promise on real input: every call of the real traces is stored once, and what it cost is right to the
 * nano-dollar. The expectation calls neither our pricing nor its library: the few rates stand in support/printed-rates.ts.
 */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Burnwatch, burnwatch, sql, startBurnwatch } from "./support/burnwatch.ts";
import { callNanoUsd } from "./support/printed-rates.ts";

const data = fileURLToPath(new URL("../src/replay/data/", import.meta.url));
const traces = [
  "AzureLLMInferenceTrace_conv.csv.gz",
  "AzureLLMInferenceTrace_code.csv.gz",
  "claude_code_requests_dev.csv.gz",
];

interface Sums {
  calls: number;
  input: number;
  cached: number;
  output: number;
  nanoUsd: bigint;
}

/** Sums straight from the CSV files, by model. */
function expectedSums(): Map<string, Sums> {
  const sums = new Map<string, Sums>();
  for (const file of traces) {
    const [header = "", ...lines] = gunzipSync(readFileSync(`${data}${file}`))
      .toString()
      .trim()
      .split(/\r?\n/);
    const columns = header.split(",");
    const azure = columns[0] === "TIMESTAMP";
    for (const line of lines) {
      const cells = line.split(",");
      const cell = (name: string) => cells[columns.indexOf(name)] ?? "";
      const model = azure ? "gpt-4o" : cell("model");
      const input = Number(azure ? cell("ContextTokens") : cell("in"));
      const cached = azure ? 0 : Number(cell("cached"));
      const output = Number(azure ? cell("GeneratedTokens") : cell("out"));
      add(sums, model, { calls: 1, input, cached, output, nanoUsd: callNanoUsd(model, { input, cached, output }) });
    }
  }
  return sums;
}

function add(sums: Map<string, Sums>, model: string, one: Sums): void {
  const known = sums.get(model) ?? { calls: 0, input: 0, cached: 0, output: 0, nanoUsd: 0n };
  sums.set(model, {
    calls: known.calls + one.calls,
    input: known.input + one.input,
    cached: known.cached + one.cached,
    output: known.output + one.output,
    nanoUsd: known.nanoUsd + one.nanoUsd,
  });
}

function decimal(nanoUsd: bigint): string {
  return `${nanoUsd / 1_000_000_000n}.${String(nanoUsd % 1_000_000_000n).padStart(9, "0")}`;
}

/** What the store says, from the records themselves. */
async function storedSums(): Promise<Record<string, unknown>> {
  const rows = await sql(
    server.apiUrl,
    `SELECT model, sum(calls) AS calls, sum(input_tokens) AS input, sum(cache_read_tokens) AS cached,
       sum(output_tokens) AS output, toString(sum(cost_usd)) AS cost, count() AS records, uniqExact(trace_id, span_id) AS identities
     FROM usage GROUP BY model`,
  );
  return Object.fromEntries(
    rows.map(({ model, ...sums }) => [
      model,
      Object.fromEntries(Object.entries(sums).map(([name, value]) => [name, String(value)])),
    ]),
  );
}

let server: Burnwatch;
const expected = Object.fromEntries(
  [...expectedSums()].map(([model, { calls, input, cached, output, nanoUsd }]) => [
    model,
    {
      calls: String(calls),
      input: String(input),
      cached: String(cached),
      output: String(output),
      cost: trimmed(decimal(nanoUsd)),
      records: String(calls),
      identities: String(calls),
    },
  ]),
);

/** ClickHouse prints a decimal without trailing zeros. */
function trimmed(text: string): string {
  return text.replace(/\.?0+$/, "");
}

async function replayAll(): Promise<Record<string, unknown>[]> {
  const summaries: Record<string, unknown>[] = [];
  for (const file of traces) {
    const words = [
      "replay",
      `${data}${file}`,
      "--speed",
      "max",
      "--tenant",
      "test",
      "--json",
      "--api",
      server.apiUrl,
      "--endpoint",
      server.tracesUrl,
    ];
    const { code, stdout, stderr } = await burnwatch(words);
    expect([code, stderr]).toEqual([0, ""]);
    summaries.push(JSON.parse(stdout));
  }
  return summaries;
}

beforeAll(async () => {
  server = await startBurnwatch();
});
afterAll(() => server.remove());

it("51,294 calls acked are stored, tokens and cost equal the sums from the CSV to the nano-dollar", {
  timeout: 240_000,
}, async () => {
  const summaries = await replayAll();
  expect(summaries.map(({ sent, accepted, rejected }) => ({ sent, accepted, rejected }))).toEqual([
    { sent: 19_366, accepted: 19_366, rejected: 0 },
    { sent: 8819, accepted: 8819, rejected: 0 },
    { sent: 23_109, accepted: 23_109, rejected: 0 },
  ]);
  expect(await storedSums()).toEqual(expected);
});

it("a second replay, and one more after a restart, change nothing", { timeout: 240_000 }, async () => {
  await replayAll();
  expect(await storedSums()).toEqual(expected);
  expect(await server.stop()).toBe(0);
  await server.start();
  await replayAll();
  expect(await storedSums()).toEqual(expected);
});

it("the rollups, the command line and the records agree to the nano-dollar", async () => {
  const { stdout } = await burnwatch(["cost", "--by", "model", "--since", "30d", "--json"], {
    BURNWATCH_URL: server.apiUrl,
  });
  const answer = JSON.parse(stdout) as { rows: Record<string, unknown>[]; completeness: number; lag_seconds: number };
  const byModel = Object.fromEntries(answer.rows.map((row) => [row["model"], row]));
  for (const [model, sums] of Object.entries(expected)) {
    expect(byModel[model]).toMatchObject({
      calls: Number(sums.calls),
      input_tokens: Number(sums.input),
      cache_read_tokens: Number(sums.cached),
      output_tokens: Number(sums.output),
      unpriced_calls: 0,
    });
    expect(trimmed(String(byModel[model]?.["cost_usd"]))).toBe(sums.cost);
  }
  expect(answer.completeness).toBe(1);
  const rollup = await sql(
    server.apiUrl,
    "SELECT model, toString(sum(cost_usd)) AS cost FROM usage_by_15m GROUP BY model",
  );
  expect(Object.fromEntries(rollup.map(({ model, cost }) => [model, cost]))).toEqual(
    Object.fromEntries(Object.entries(expected).map(([model, { cost }]) => [model, cost])),
  );
});
