/** Spans recorded from real packages beside what the provider billed; see test/fixtures/README.md. */

import { readdirSync, readFileSync } from "node:fs";
import { arriving } from "../../src/dialects/example-span.ts";
import type { Attributes, Span } from "../../src/model/span.ts";
import type { Usage } from "../../src/model/usage.ts";

/** One call as the provider billed it: all input and all output, cached and reasoning tokens included. */
export interface BilledCall {
  readonly api: "chat" | "responses" | "embeddings" | "anthropic";
  readonly id: string;
  readonly model: string;
  readonly input: number;
  readonly cacheRead: number;
  readonly cacheWrite5m: number;
  readonly cacheWrite1h: number;
  readonly output: number;
  readonly reasoning: number;
}

export interface RecordedSpan extends Omit<Span, "resource"> {
  /** As the producer sent them. */
  readonly attributes: Attributes;
}

export interface RecordedCase {
  /** Package and version, with the provider where one package has several. */
  readonly emitter: string;
  readonly case: string;
  readonly truths: readonly BilledCall[];
  readonly spans: readonly RecordedSpan[];
}

const folder = new URL("../fixtures/recorded/", import.meta.url);

/** All recorded cases, in the order of the files. */
export function recordedCases(): readonly RecordedCase[] {
  return readdirSync(folder)
    .sort()
    .flatMap((file) => JSON.parse(readFileSync(new URL(file, folder), "utf8")) as RecordedCase[]);
}

/** A recorded span as it is after decoding. */
export function arrived(span: RecordedSpan): Span {
  return { ...span, attributes: arriving(span.attributes), resource: {} };
}

/** The disjoint buckets of a call. */
export function trueUsage(call: BilledCall): Usage {
  const { input, cacheRead, cacheWrite5m, cacheWrite1h, output, reasoning } = call;
  return {
    input: input - cacheRead - cacheWrite5m - cacheWrite1h,
    cacheRead,
    cacheWrite5m,
    cacheWrite1h,
    output: output - reasoning,
    reasoning,
  };
}

/** Nano-dollars per token as the providers printed them in 2025: gpt-4o $2.50, $1.25, $10; Sonnet 4.5 $3, $0.30, $3.75, $6, $15. */
const printedRates: Readonly<Record<string, Usage>> = {
  "gpt-4o": { input: 2500, cacheRead: 1250, cacheWrite5m: 0, cacheWrite1h: 0, output: 10_000, reasoning: 10_000 },
  "claude-sonnet-4-5": {
    input: 3000,
    cacheRead: 300,
    cacheWrite5m: 3750,
    cacheWrite1h: 6000,
    output: 15_000,
    reasoning: 15_000,
  },
  "text-embedding-3-small": { input: 20, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0, output: 0, reasoning: 0 },
};

/** What a usage costs in nano-dollars, without any of the project's pricing. */
export function trueNanoUsd(usage: Usage, model: string): number {
  const rates = Object.entries(printedRates).find(([name]) => model.startsWith(name))?.[1];
  if (rates === undefined) throw new Error(`no printed rate of ${model}`);
  return (Object.keys(rates) as (keyof Usage)[]).reduce((sum, bucket) => sum + usage[bucket] * rates[bucket], 0);
}
