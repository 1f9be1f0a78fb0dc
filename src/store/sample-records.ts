/** Realistic usage records from a fixed seed, for tests and benches of what stores and asks. */

import { priceTag } from "../model/price-tag.ts";
import type { UsageRecord } from "../model/usage-record.ts";

export interface SampleOptions {
  readonly count: number;
  readonly seed?: number;
  /** Unix milliseconds of the first record and the time all of them span. */
  readonly startMs: number;
  readonly spanMs: number;
  readonly tenants?: number;
}

/** A small fast generator (mulberry32): the same seed gives the same numbers on every machine. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const models = [
  { provider: "openai", model: "gpt-4o-2024-08-06", request: "gpt-4o", inputNano: 2500, outputNano: 10000 },
  { provider: "openai", model: "gpt-4o-mini-2024-07-18", request: "gpt-4o-mini", inputNano: 150, outputNano: 600 },
  {
    provider: "anthropic",
    model: "claude-sonnet-4-5",
    request: "claude-sonnet-4-5",
    inputNano: 3000,
    outputNano: 15000,
  },
  { provider: "azure.ai.openai", model: "acme-finetune-7", request: "acme-finetune-7", inputNano: null, outputNano: 0 },
] as const;

/** Tags of what the samples cost: rates in nano-dollars are 1e9 atto-dollars a token. Cached tokens are a tenth. */
const tags: Readonly<Record<string, string>> = Object.fromEntries(
  models.map(({ model, inputNano, outputNano }) => {
    if (inputNano === null) return [model, ""];
    const [input, output] = [BigInt(inputNano) * 10n ** 9n, BigInt(outputNano) * 10n ** 9n];
    const rates = { input, cacheRead: input / 10n, cacheWrite5m: 0n, cacheWrite1h: 0n, output, reasoning: output };
    return [model, priceTag(rates, { source: "bundled", version: "sample", since: "" })];
  }),
);

const features = ["chat", "search", "summarise", "code-review", "support-triage", "extract", "translate", "embed-docs"];

/** Records in the order of their start: agents' runs of several calls, single calls, tool calls, errors, unpriced models. */
export function* sampleRecords(options: SampleOptions): Generator<UsageRecord> {
  const random = seededRandom(options.seed ?? 1);
  const tenants = options.tenants ?? 20;
  const pick = (count: number) => Math.floor(count * random() ** 3);
  const open: { readonly trace: string; readonly tenant: number; readonly feature: number; left: number }[] = [];
  for (let index = 0; index < options.count; index++) {
    let run = open[Math.floor(random() * 40)];
    if (run === undefined || run.left === 0) {
      run = { trace: hexDigits(32, random), tenant: pick(tenants), feature: pick(8), left: 1 + pick(12) };
      open[Math.floor(random() * 40)] = run;
    }
    run.left--;
    const rates = models[(run.feature + (random() < 0.1 ? 1 : 0)) % 4] ?? models[0];
    yield sampleRecord({ options, index, run, rates, random });
  }
}

function hexDigits(count: number, random: () => number): string {
  let digits = "";
  while (digits.length < count)
    digits += Math.floor(random() * 0x1_0000_0000)
      .toString(16)
      .padStart(8, "0");
  return digits.slice(0, count);
}

function sampleRecord({
  options,
  index,
  run,
  rates,
  random,
}: {
  readonly options: SampleOptions;
  readonly index: number;
  readonly run: { readonly trace: string; readonly tenant: number; readonly feature: number };
  readonly rates: (typeof models)[number];
  readonly random: () => number;
}): UsageRecord {
  const startUs =
    (options.startMs + Math.floor((options.spanMs * index) / options.count)) * 1000 + Math.floor(random() * 1000);
  const isTool = random() < 0.12;
  const failed = random() < 0.02;
  const input = isTool ? 0 : Math.floor(Math.exp(5 + 3.5 * random()));
  const cacheRead = isTool || random() < 0.6 ? 0 : Math.floor(input * 4 * random());
  const output = isTool || failed ? 0 : Math.floor(Math.exp(2 + 5 * random()));
  const reasoning = random() < 0.2 ? output * 2 : 0;
  const priced = rates.inputNano !== null;
  const nano = priced
    ? input * rates.inputNano + Math.round(cacheRead * rates.inputNano * 0.1) + (output + reasoning) * rates.outputNano
    : null;
  const feature = features[run.feature] ?? "chat";
  return {
    traceId: run.trace,
    spanId: hexDigits(16, random),
    parentSpanId: random() < 0.3 ? "" : run.trace.slice(8, 24),
    startUs,
    endUs: startUs + Math.floor(Math.exp(12 + 4 * random())),
    tenant: `tenant-${run.tenant}`,
    service: run.feature < 4 ? "api-gateway" : "worker",
    environment: random() < 0.9 ? "production" : "staging",
    feature,
    user: `u-${run.tenant}-${run.trace.slice(0, 2)}`,
    session: `s-${run.trace.slice(0, 12)}`,
    agent: run.feature % 2 === 0 ? `${feature}-agent` : "",
    run: `run-${run.trace.slice(12, 20)}`,
    promptName: `${feature}-prompt`,
    promptVersion: index * 2 < options.count ? "12" : "13",
    release: "2025.11.3",
    instance: `${run.feature < 4 ? "gateway" : "worker"}-${index % 3}`,
    operation: isTool ? "execute_tool" : "chat",
    provider: isTool ? "" : rates.provider,
    model: isTool ? "" : rates.model,
    requestModel: isTool ? "" : rates.request,
    responseId: isTool || failed ? "" : `chatcmpl-${hexDigits(24, random)}`,
    finishReason: isTool ? "" : failed ? "error" : "stop",
    status: failed ? "error" : "ok",
    errorType: failed ? "rate_limit_exceeded" : "",
    tool: isTool ? "search_documents" : "",
    toolArgsHash: isTool ? hexDigits(16, seededRandom(index % 500)) : "",
    // One call in five has one of 200 prompts; the worker is of another make and tells none.
    promptHash:
      isTool || run.feature >= 4 ? "" : hexDigits(16, seededRandom(index % 5 === 0 ? index % 1000 : 1000 + index)),
    outcome: random() < 0.05 ? "resolved" : "",
    usage: {
      input,
      cacheRead,
      cacheWrite5m: cacheRead === 0 ? 0 : Math.floor(input / 8),
      cacheWrite1h: 0,
      output,
      reasoning,
    },
    modalities: null,
    images: 0,
    audioMs: 0,
    serviceTier: "",
    calls: isTool ? 0 : 1,
    costNanoUsd: isTool ? 0 : nano,
    costStatus: isTool ? "not_billable" : priced ? "priced" : "unpriced_model",
    priceTag: isTool ? "" : (tags[rates.model] ?? ""),
    costCarry: 0,
    reportedNanoUsd: null,
    revision: 0,
    repricings: 0,
    flags: random() < 0.05 ? ["cache_semantics_assumed"] : [],
  };
}
