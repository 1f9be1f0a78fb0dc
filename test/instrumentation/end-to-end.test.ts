/**
 * Real SDKs against the fake provider, exported to a running Burnwatch, asked in ClickHouse. The expectation is what the
 * provider knows, and list prices written down here.
 */

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { buildOnce } from "../../instrumentation/testing/build-once.ts";
import { type FakeProvider, startFakeProvider } from "../../instrumentation/testing/fake-provider.ts";
import { runNode } from "../../instrumentation/testing/run-node.ts";
import type { Truth } from "../../instrumentation/testing/truth.ts";
import { type Burnwatch, burnwatch as command, settle, sql, startBurnwatch } from "../support/burnwatch.ts";

const packageFolder = fileURLToPath(new URL("../../instrumentation/", import.meta.url));
let burnwatch: Burnwatch;
let provider: FakeProvider;
let otlpUrl: string;

beforeAll(async () => {
  provider = await startFakeProvider();
  burnwatch = await startBurnwatch();
  otlpUrl = burnwatch.otlpUrl;
});
afterAll(async () => {
  await provider.close();
  await burnwatch.remove();
});

/** An application with three SDKs, one of them on node-fetch; two users; streams, tools, an abort and errors. */
const application = `
import "./register.ts";
import { recordOutcome, withAttribution } from "./index.ts";
import OpenAI from "openai-7";
import OpenAI4 from "openai-4";
import Anthropic from "anthropic-1";
const url = process.env.PROVIDER;
const clients = [OpenAI, OpenAI4].map((Client) =>
  new Client({ apiKey: "k", baseURL: url + "/v1", maxRetries: 0 }));
const anthropic = new Anthropic({ apiKey: "k", baseURL: url, maxRetries: 0 });
const ask = (scenario) => [{ role: "user", content: "hello scenario=" + scenario }];
const drain = async (stream) => { for await (const _ of stream); };
for (const user of ["ada", "grace"]) {
  for (const client of clients) {
    const chat = (scenario, stream) => client.chat.completions.create({ model: "gpt-4o", messages: ask(scenario), stream });
    await withAttribution({ tenant: "acme", feature: "chat", user }, async () => {
      await chat("", false);
      await drain(await chat("", true));
      await chat("tools", false);
      await chat("error400", false).catch(() => {});
      for await (const chunk of await chat("slow", true)) if (chunk.choices[0]?.delta.content) break;
      recordOutcome("answered");
    });
  }
  await withAttribution({ tenant: "acme", feature: "essay", user }, async () => {
    const essay = { model: "claude-opus-4-1-20250805", max_tokens: 9, messages: ask("") };
    await anthropic.messages.create(essay);
    await drain(await anthropic.messages.create({ ...essay, stream: true }));
  });
}
`;

/** Nano-dollars by list price in November 2026: OpenAI's and Anthropic's pricing pages. A failed or cut-off call has none. */
function costOf(truth: Truth): bigint {
  if (truth.status !== 200 || isAborted(truth)) return 0n;
  if (truth.api === "chat") {
    return BigInt((truth.input - truth.cacheRead) * 2500 + truth.cacheRead * 1250 + truth.output * 10_000);
  }
  const uncached = truth.input - truth.cacheRead - truth.cacheWrite5m - truth.cacheWrite1h;
  const input = uncached * 15_000 + truth.cacheRead * 1500 + truth.cacheWrite5m * 18_750 + truth.cacheWrite1h * 30_000;
  return BigInt(input + truth.output * 75_000);
}

function isAborted(truth: Truth): boolean {
  return JSON.stringify(truth.request).includes("scenario=slow");
}

function sums(truths: readonly Truth[]) {
  const whole = truths.filter((truth) => truth.status === 200 && !isAborted(truth));
  const total = (count: (truth: Truth) => number) => whole.reduce((sum, truth) => sum + count(truth), 0);
  return {
    calls: truths.length,
    input: total((truth) => truth.input),
    cache_read: total((truth) => truth.cacheRead),
    cache_write: total((truth) => (truth.api === "anthropic" ? truth.cacheWrite5m + truth.cacheWrite1h : 0)),
    output: total((truth) => truth.output),
    nano_usd: String(truths.reduce((sum, truth) => sum + costOf(truth), 0n)),
  };
}

it("every call is one record in ClickHouse with the provider's tokens and the exact price", async () => {
  const env = { PROVIDER: provider.url, OTEL_EXPORTER_OTLP_ENDPOINT: otlpUrl, OTEL_SERVICE_NAME: "shop" };
  const ran = await runNode(["--input-type=module", "--eval", application], { cwd: packageFolder, env });
  expect([ran.code, ran.stderr]).toEqual([0, expect.stringContaining("guard inert")]);
  await settle(burnwatch.apiUrl);
  const rows = await sql<Record<string, string>>(
    burnwatch.apiUrl,
    `SELECT feature, sum(calls) AS calls, sum(input_uncached_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens) AS input,
       sum(cache_read_tokens) AS cache_read, sum(cache_write_5m_tokens + cache_write_1h_tokens) AS cache_write,
       sum(output_visible_tokens + reasoning_tokens) AS output, toString(toInt128(sum(cost_usd) * 1000000000)) AS nano_usd
     FROM usage_records GROUP BY feature ORDER BY feature`,
  );
  const found = rows.map((row) => ({
    feature: row["feature"],
    calls: Number(row["calls"]),
    input: Number(row["input"]),
    cache_read: Number(row["cache_read"]),
    cache_write: Number(row["cache_write"]),
    output: Number(row["output"]),
    nano_usd: row["nano_usd"],
  }));
  const [chat, essay] = [
    provider.truths.filter(({ api }) => api === "chat"),
    provider.truths.filter(({ api }) => api === "anthropic"),
  ];
  expect(chat.length).toBe(20);
  expect(found).toEqual([
    { feature: "chat", ...sums(chat) },
    { feature: "essay", ...sums(essay) },
  ]);
}, 120_000);

it("`burnwatch cost --by feature,user` shows them, and nothing is missing from the numbering", async () => {
  const ran = await command(["cost", "--by", "feature,user", "--json"], { BURNWATCH_URL: burnwatch.apiUrl });
  const { rows, completeness } = JSON.parse(ran.stdout) as { rows: Record<string, unknown>[]; completeness: number };
  expect(rows.map((row) => [row["feature"], row["user"], row["calls"]]).sort()).toEqual([
    ["chat", "ada", 10],
    ["chat", "grace", 10],
    ["essay", "ada", 2],
    ["essay", "grace", 2],
  ]);
  expect(completeness).toBe(1);
});

it("the same prompt has one hash, whoever asks, streamed or not, and is found by it", async () => {
  const rows = await sql<{ feature: string; hash: string; calls: number }>(
    burnwatch.apiUrl,
    "SELECT feature, prompt_hash AS hash, toInt32(count()) AS calls FROM usage GROUP BY feature, hash ORDER BY feature, calls DESC",
  );
  // Two SDKs and two users ask four things, one of them with and without a stream; the essay likewise, with one SDK.
  expect(rows.map(({ feature, calls }) => [feature, calls])).toEqual([
    ["chat", 8],
    ["chat", 4],
    ["chat", 4],
    ["chat", 4],
    ["essay", 4],
  ]);
  expect(rows.filter(({ hash }) => !/^[0-9a-f]{16}$/.test(hash))).toEqual([]);
});

it("the packed package is what an application installs", () => {
  buildOnce();
  const packed = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
    cwd: packageFolder,
    stdio: "pipe",
  });
  const [{ files }] = JSON.parse(String(packed)) as [{ files: { path: string }[] }];
  const paths = files.map(({ path }) => path);
  expect(paths).toContain("dist/esm/register.js");
  expect(paths).toContain("dist/cjs/register.js");
  expect(paths.filter((path) => !/^(?:dist\/(?:esm|cjs)\/|README\.md$|package\.json$)/.test(path))).toEqual([]);
});
