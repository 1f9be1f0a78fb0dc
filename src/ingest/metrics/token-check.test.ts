/** What metrics claim beside what spans brought, over real tables. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { TokenClaim } from "../../model/metric-rows.ts";
import type { UsageRecord } from "../../model/usage-record.ts";
import { openEmbeddedStore } from "../../store/embedded.ts";
import { sampleRecords } from "../../store/sample-records.ts";
import type { Store } from "../../store/store.ts";
import { compareTokens, missingSpansText } from "./token-check.ts";

const nowMs = Date.UTC(2026, 10, 20, 12);
const us = (secondsAgo: number) => (nowMs - secondsAgo * 1000) * 1000;
const directory = mkdtempSync(join(tmpdir(), "burnwatch-token-check-"));
let store: Store;
let batches = 0;

beforeAll(async () => {
  store = await openEmbeddedStore({ directory, rawRetentionDays: 36_500 });
  await store.migrate();
}, 60_000);
afterAll(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

function claim(
  service: string,
  fromSecondsAgo: number,
  toSecondsAgo: number,
  over: Partial<TokenClaim> = {},
): TokenClaim {
  return {
    fromUs: us(fromSecondsAgo),
    toUs: us(toSecondsAgo),
    service,
    instance: "1",
    scope: "openai",
    provider: "openai",
    model: "gpt-4o",
    operation: "chat",
    tokenType: "input",
    series: "0123456789abcdef",
    startedUs: us(fromSecondsAgo),
    tokens: 0,
    calls: 0,
    totalTokens: 0,
    totalCalls: 0,
    temporality: "delta",
    ...over,
  };
}

/** Calls of a service that each took a second and brought so many input tokens, by the second in which they ended. */
async function calls(
  service: string,
  tokens: number,
  endedSecondsAgo: readonly number[],
  instance = "1",
): Promise<void> {
  const usage = { input: tokens, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0, output: 0, reasoning: 0 };
  const [template] = sampleRecords({ count: 1, startMs: nowMs, spanMs: 1 });
  const records = endedSecondsAgo.map(
    (seconds): UsageRecord => ({
      ...(template as UsageRecord),
      ...{ service, instance, usage, provider: "openai", model: "gpt-4o", calls: 1 },
      ...{ startUs: us(seconds + 1), endUs: us(seconds) },
    }),
  );
  await store.insert({ token: `${service}-${batches++}`, records });
}

async function compared(service: string) {
  return (await compareTokens(store, nowMs)).filter((comparison) => comparison.service === service);
}

it("finds nothing where spans bring what metrics count, however the intervals fall", async () => {
  await calls("whole", 1000, [600, 500, 400, 300]);
  await store.insertMetrics({
    points: [],
    claims: [
      claim("whole", 660, 480, { tokens: 2000, calls: 2 }),
      claim("whole", 480, 290, { tokens: 2000, calls: 2 }),
    ],
  });
  expect(await compared("whole")).toMatchObject([
    { claimed_tokens: 4000, claimed_calls: 4, span_tokens: 4000, span_calls: 4, excess: 0, spans_missing: false },
  ]);
});

it("leaves out spans that ended outside of the time of the claims, and claims of the last two minutes", async () => {
  await calls("edges", 5000, [700, 600, 500, 60]);
  await store.insertMetrics({
    points: [],
    claims: [
      claim("edges", 650, 450, { tokens: 10_000, calls: 2 }),
      claim("edges", 450, 30, { tokens: 90_000, calls: 9 }),
    ],
  });
  const [comparison] = await compared("edges");
  expect(comparison).toMatchObject({ claimed_tokens: 10_000, span_tokens: 10_000, spans_missing: false });
  expect(comparison?.until).toBe(new Date(nowMs - 450_000).toISOString());
});

it("says which service lacks spans, from two per cent and a thousand tokens", async () => {
  await calls("holed", 10_000, [600, 500]);
  await calls("chance", 10_000, [600, 500, 400]);
  await calls("tiny", 100, [600]);
  await store.insertMetrics({
    points: [],
    claims: [
      claim("holed", 660, 290, { tokens: 30_000, calls: 3 }),
      claim("chance", 660, 290, { tokens: 30_500, calls: 3 }),
      claim("tiny", 660, 290, { tokens: 900, calls: 9 }),
      claim("silent", 660, 290, { tokens: 5000, calls: 5 }),
    ],
  });
  const all = await compareTokens(store, nowMs);
  expect(all.filter((each) => each.spans_missing).map(({ service }) => service)).toEqual(["holed", "silent"]);
  expect(missingSpansText(all)).toBe(
    "metrics say 50 % more input tokens than spans of service holed, instance 1 (and 1 more)",
  );
  expect(missingSpansText(all.filter(({ service }) => service === "silent"))).toBe(
    "metrics count input tokens of service silent, instance 1, its spans none",
  );
  expect(missingSpansText(all.filter(({ service }) => service === "whole"))).toBeNull();
});

it("compares the instances of a service apart, so that one that loses spans shows however large the others are", async () => {
  await calls("fleet", 1_000_000, [600, 500], "big");
  await calls("fleet", 1000, [600, 500, 400], "holed");
  await store.insertMetrics({
    points: [],
    claims: [
      claim("fleet", 660, 290, { tokens: 2_000_000, calls: 2, instance: "big" }),
      claim("fleet", 660, 290, { tokens: 5000, calls: 5, instance: "holed", series: "00000000000000aa" }),
      claim("fleet", 660, 290, { tokens: 4000, calls: 4, instance: "mute", series: "00000000000000bb" }),
    ],
  });
  const comparisons = await compared("fleet");
  expect(Object.fromEntries(comparisons.map((each) => [each.instance, each]))).toMatchObject({
    big: { claimed_tokens: 2_000_000, span_tokens: 2_000_000, excess: 0, spans_missing: false },
    holed: { claimed_tokens: 5000, span_tokens: 3000, span_calls: 3, spans_missing: true },
    mute: { claimed_tokens: 4000, span_tokens: 0, excess: null, spans_missing: true },
  });
  expect(comparisons).toHaveLength(3);
  expect(missingSpansText(comparisons)).toBe(
    "metrics count input tokens of service fleet, instance mute, its spans none (and 1 more)",
  );
  expect(missingSpansText(comparisons.filter(({ instance }) => instance === "holed"))).toBe(
    "metrics say 67 % more input tokens than spans of service fleet, instance holed",
  );
});

it("takes each instance's spans from the time of its own claims", async () => {
  await calls("staggered", 5000, [600, 500], "early");
  await calls("staggered", 5000, [600, 500, 400], "late");
  await store.insertMetrics({
    points: [],
    claims: [
      claim("staggered", 650, 450, { tokens: 10_000, calls: 2, instance: "early" }),
      claim("staggered", 450, 290, { tokens: 5000, calls: 1, instance: "late", series: "00000000000000aa" }),
    ],
  });
  for (const { claimed_tokens, span_tokens } of await compared("staggered")) expect(span_tokens).toBe(claimed_tokens);
});

it("compares a service as a whole where some of its spans are of no instance that sends metrics", async () => {
  await calls("mixed", 10_000, [600], "1");
  await calls("mixed", 10_000, [500], "of another SDK");
  await calls("unnamed", 10_000, [600, 500], "");
  await store.insertMetrics({
    points: [],
    claims: [
      claim("mixed", 660, 290, { tokens: 20_000, calls: 2 }),
      claim("unnamed", 660, 290, { tokens: 10_000, calls: 1 }),
      claim("unnamed", 660, 290, { tokens: 10_000, calls: 1, instance: "2", series: "00000000000000aa" }),
    ],
  });
  for (const service of ["mixed", "unnamed"]) {
    expect(await compared(service)).toMatchObject([
      { service, instance: null, claimed_tokens: 20_000, span_tokens: 20_000, excess: 0, spans_missing: false },
    ]);
  }
});

it("adds instances and models, and takes the larger of two scopes that count the same model", async () => {
  await calls("many", 1000, [600, 500, 400], "");
  const other = { series: "fedcba9876543210" };
  await store.insertMetrics({
    points: [],
    claims: [
      claim("many", 660, 290, { tokens: 600, calls: 1 }),
      claim("many", 660, 290, { tokens: 1000, calls: 1, instance: "2", series: "00000000000000aa" }),
      claim("many", 660, 290, { tokens: 1000, calls: 1, scope: "langchain", series: "00000000000000bb" }),
      claim("many", 660, 290, { tokens: 1000, calls: 1, model: "o3", ...other }),
    ],
  });
  const [comparison] = await compared("many");
  expect(comparison).toMatchObject({ claimed_tokens: 3000, claimed_calls: 3, span_tokens: 3000, spans_missing: false });
  expect(comparison?.models).toEqual([
    { provider: "openai", model: "gpt-4o", claimed_tokens: 2000, span_tokens: 3000 },
    { provider: "openai", model: "o3", claimed_tokens: 1000, span_tokens: 0 },
  ]);
});
