/** Calls of one feature and model with real token counts, in which from a known call on one thing goes wrong. */

import type { Observation } from "../../detectors/detector.ts";
import { observation, usageRecord } from "../../detectors/observation-samples.ts";
import type { UsageRecord } from "../../src/model/usage-record.ts";
import type { Random } from "./random.ts";

/** What a call is like; tokens are all input, cached included, and all output, reasoning included. */
export interface DrawnCall {
  readonly input: number;
  readonly cached: number;
  readonly output: number;
  readonly reasoning: number;
  readonly failed: boolean;
  readonly truncated: boolean;
  /** Attempts that fail before it, each billed for its input. */
  readonly failedAttempts: number;
  readonly model: string;
  readonly requestModel: string;
  readonly promptVersion: string;
  readonly durationMs: number;
}

/** Nano-dollars a token: input, cached input, output. */
const rates: Readonly<Record<string, readonly [number, number, number]>> = {
  "gpt-4o-2024-08-06": [2500, 1250, 10_000],
  o1: [15_000, 7500, 60_000],
};
const startMs = Date.UTC(2026, 0, 5, 9);
const everyMs = 1500;

/** A usual call: real lengths; input with a cached prefix in three of four; one in 50 fails once before; one in 100 is cut off. */
export function usualCall(lengths: { readonly input: number; readonly output: number }, random: Random): DrawnCall {
  // The system prompt of 2,000 tokens is what a cache can serve.
  const input = lengths.input + 2000;
  const cached = random.next() < 0.75 ? Math.floor(Math.min(input, 2000 + 0.6 * lengths.input) / 128) * 128 : 0;
  const reasoning = Math.round(lengths.output * Math.exp(0.5 * random.normal()));
  return {
    input,
    cached,
    output: lengths.output + reasoning,
    reasoning,
    failed: false,
    truncated: random.next() < 0.01,
    failedAttempts: random.next() < 0.02 ? 1 : 0,
    model: random.next() < 0.002 ? "o1" : "gpt-4o-2024-08-06",
    requestModel: "gpt-4o",
    promptVersion: "7",
    durationMs: Math.round(800 + 20 * lengths.output * Math.exp(0.3 * random.normal())),
  };
}

/** Records of a call in the order in which they arrive; `index` numbers the call. */
export function recordsOf(call: DrawnCall, index: number, random: Random): Observation[] {
  const atMs = startMs + index * everyMs;
  const attempts = Array.from({ length: call.failedAttempts }, () => ({
    ...call,
    output: 0,
    reasoning: 0,
    failed: true,
  }));
  return [...attempts, call].map((each, attempt) =>
    observed(each, index, { atMs: atMs + attempt, tieBreak: random.next() }),
  );
}

function observed(
  call: DrawnCall,
  index: number,
  at: { readonly atMs: number; readonly tieBreak: number },
): Observation {
  const [input, cached, output] = rates[call.model] ?? [0, 0, 0];
  const record: Partial<UsageRecord> = {
    model: call.model,
    requestModel: call.requestModel,
    promptName: "answer",
    promptVersion: call.promptVersion,
    finishReason: call.truncated ? "length" : "stop",
    status: call.failed ? "error" : "ok",
  };
  return observation(
    {
      ...at,
      inputTokens: call.input,
      cacheReadTokens: call.cached,
      outputTokens: call.output,
      reasoningTokens: call.reasoning,
      nanoUsd: (call.input - call.cached) * input + call.cached * cached + call.output * output,
      durationMs: call.durationMs,
      failed: call.failed,
      truncated: call.truncated,
      record: usageRecord(record, index),
    },
    index,
  );
}
