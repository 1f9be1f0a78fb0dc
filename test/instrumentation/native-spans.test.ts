/**
 * SDKs that trace themselves (`@ai-sdk/otel`, Anthropic's), with the application's own OpenTelemetry SDK exporting to the
 * same Burnwatch: each call is there twice and counts once, whichever copy arrives first.
 */

import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type FakeProvider, startFakeProvider } from "../../instrumentation/testing/fake-provider.ts";
import { runNode } from "../../instrumentation/testing/run-node.ts";
import { type Burnwatch, settle, sql, startBurnwatch } from "../support/burnwatch.ts";

const packageFolder = fileURLToPath(new URL("../../instrumentation/", import.meta.url));
let burnwatch: Burnwatch;
let provider: FakeProvider;

beforeAll(async () => {
  provider = await startFakeProvider();
  burnwatch = await startBurnwatch();
});
afterAll(async () => {
  await provider.close();
  await burnwatch.remove();
});

const application = `
import "./register.ts";
import { withAttribution } from "./index.ts";
import { NodeSDK } from "@opentelemetry/sdk-node";
import { BatchSpanProcessor, SimpleSpanProcessor } from "@opentelemetry/sdk-trace";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { OpenTelemetry } from "@ai-sdk/otel";
import { createAnthropic } from "@ai-sdk/anthropic";
import Anthropic from "anthropic-1";
import { generateText, jsonSchema, registerTelemetry, streamText } from "ai";
import { createOpenAI } from "ai7-openai";

const exporter = new OTLPTraceExporter();
const processor = process.env.FIRST === "native" ? new SimpleSpanProcessor({ exporter }) : new BatchSpanProcessor({ exporter });
const sdk = new NodeSDK({ spanProcessors: [processor], metricReaders: [], logRecordProcessors: [] });
sdk.start();
registerTelemetry(new OpenTelemetry());
const url = process.env.PROVIDER;
const openai = createOpenAI({ apiKey: "k", baseURL: url + "/v1" });
const claude = createAnthropic({ apiKey: "k", baseURL: url + "/v1" })("claude-opus-4-1-20250805");
const tools = { get_weather: { description: "weather", inputSchema: jsonSchema({ type: "object", properties: {}, additionalProperties: true }) } };
const within = (feature, work) => withAttribution({ tenant: "acme-" + process.env.FIRST, feature }, work);
for (const [feature, model] of [["chat", openai.chat("gpt-4o")], ["responses", openai.responses("gpt-4o")], ["claude", claude]]) {
  await within(feature, async () => {
    await generateText({ model, prompt: "hello", maxRetries: 0 });
    await generateText({ model, prompt: "scenario=tools hello", tools, maxRetries: 0 });
    for await (const _ of streamText({ model, prompt: "hello", maxRetries: 0 }).textStream);
  });
}
const anthropic = new Anthropic({ apiKey: "k", baseURL: url, maxRetries: 0 });
await within("native", async () => {
  const message = { model: "claude-opus-4-1-20250805", max_tokens: 9, messages: [{ role: "user", content: "hello" }] };
  await anthropic.messages.create(message);
  for await (const _ of await anthropic.messages.create({ ...message, stream: true }));
});
if (process.env.FIRST === "ours") await new Promise((resolve) => setTimeout(resolve, 1500));
await sdk.shutdown();
`;

/** Nano-dollars by list price in November 2026 for 1 token: uncached, read, written for 5 minutes and 1 hour, out. */
const listPrices = {
  openai: [2500, 1250, 0, 0, 10_000],
  anthropic: [15_000, 1500, 18_750, 30_000, 75_000],
} as const;

function expectedOf(truths: FakeProvider["truths"]) {
  let [input, output, nanoUsd] = [0, 0, 0];
  for (const truth of truths) {
    const isAnthropic = truth.api === "anthropic";
    const [price, read, write5m, write1h, out] = listPrices[isAnthropic ? "anthropic" : "openai"];
    const [for5m, for1h] = isAnthropic ? [truth.cacheWrite5m, truth.cacheWrite1h] : [0, 0];
    input += truth.input;
    output += truth.output;
    nanoUsd += (truth.input - truth.cacheRead - for5m - for1h) * price;
    nanoUsd += truth.cacheRead * read + for5m * write5m + for1h * write1h + truth.output * out;
  }
  return { calls: truths.length, input, output, nano_usd: String(nanoUsd) };
}

describe.each(["ours", "native"])("where %s arrives first", (first) => {
  it("a call with a native span is one record with the provider's tokens and the exact price", {
    timeout: 120_000,
  }, async () => {
    const before = provider.truths.length;
    const env = { PROVIDER: provider.url, OTEL_EXPORTER_OTLP_ENDPOINT: burnwatch.otlpUrl, FIRST: first };
    const ran = await runNode(["--input-type=module", "--eval", application], { cwd: packageFolder, env });
    expect([ran.code, ran.stderr]).toEqual([0, expect.stringContaining("beside OpenTelemetry")]);
    await settle(burnwatch.apiUrl);
    const rows = await sql<Record<string, string>>(
      burnwatch.apiUrl,
      `SELECT feature, sum(calls) AS calls, sum(input_tokens) AS input, sum(output_tokens) AS output,
         toString(toInt128(sum(cost_usd) * 1000000000)) AS nano_usd
       FROM usage WHERE tenant = 'acme-${first}' GROUP BY feature ORDER BY feature`,
    );
    const found = rows.map((row) => ({
      feature: row["feature"],
      calls: Number(row["calls"]),
      input: Number(row["input"]),
      output: Number(row["output"]),
      nano_usd: row["nano_usd"],
    }));
    const truths = provider.truths.slice(before);
    expect(truths.length).toBe(11);
    expect(found).toEqual([
      { feature: "chat", ...expectedOf(truths.slice(0, 3)) },
      { feature: "claude", ...expectedOf(truths.slice(6, 9)) },
      { feature: "native", ...expectedOf(truths.slice(9)) },
      { feature: "responses", ...expectedOf(truths.slice(3, 6)) },
    ]);
  });
});

it("nothing else of the two was billed: roll-ups and steps of the AI SDK cost nothing", async () => {
  const [row] = await sql(burnwatch.apiUrl, "SELECT sum(calls) AS calls, count(DISTINCT tenant) AS tenants FROM usage");
  expect(row).toEqual({ calls: 22, tenants: 2 });
});
