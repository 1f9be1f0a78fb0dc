/** Observations for tests and benches: usual values, with what a case is about instead. Deterministic. */

import { noUsage } from "../src/model/usage.ts";
import type { UsageRecord } from "../src/model/usage-record.ts";
import type { Observation } from "./detector.ts";

const emptyRecord: UsageRecord = {
  tenant: "acme",
  service: "",
  environment: "",
  feature: "search",
  user: "",
  session: "",
  agent: "",
  run: "",
  promptName: "",
  promptVersion: "",
  instance: "",
  release: "",
  traceId: "",
  spanId: "",
  parentSpanId: "",
  startUs: 0,
  endUs: 0,
  operation: "chat",
  provider: "openai",
  model: "gpt-4o",
  requestModel: "gpt-4o",
  responseId: "",
  finishReason: "stop",
  status: "ok",
  errorType: "",
  tool: "",
  toolArgsHash: "",
  promptHash: "",
  outcome: "",
  usage: noUsage,
  modalities: null,
  images: 0,
  audioMs: 0,
  serviceTier: "",
  calls: 1,
  costNanoUsd: null,
  costStatus: "priced",
  priceTag: "",
  costCarry: 0,
  reportedNanoUsd: null,
  revision: 0,
  repricings: 0,
  flags: [],
};

/** A record of the number `index`, with these values instead of the usual ones. */
export function usageRecord(values: Partial<UsageRecord>, index: number): UsageRecord {
  const hex = index.toString(16);
  return { ...emptyRecord, traceId: hex.padStart(32, "0"), spanId: hex.padStart(16, "0"), ...values };
}

/** An observation of the number `index`, with these values instead of the usual ones. */
export function observation(values: Partial<Observation>, index: number): Observation {
  return {
    atMs: 0,
    arrivedAtMs: values.atMs ?? 0,
    tieBreak: 0.5,
    calls: 1,
    inputTokens: 0,
    cacheReadTokens: 0,
    cacheWriteTokens: 0,
    outputTokens: 0,
    reasoningTokens: 0,
    nanoUsd: 0,
    durationMs: 0,
    failed: false,
    truncated: false,
    record: usageRecord({}, index),
    ...values,
  };
}

/** Mulberry32: small, fast and good enough for tests. In [0, 1). */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
