/** From the counts a producer reports to disjoint buckets, whatever it includes in what. */

import type { Usage } from "../model/usage.ts";

/** Counts as reported; undefined where not reported. */
export interface ReportedTokens {
  readonly input: number | undefined;
  readonly output: number | undefined;
  readonly cacheRead: number | undefined;
  /** All cache writes, or those of 5 minutes where the 1-hour ones are told apart. */
  readonly cacheWrite: number | undefined;
  readonly cacheWrite1h: number | undefined;
  readonly reasoning: number | undefined;
  /** True when `cacheWrite` is the sum that already contains `cacheWrite1h`. */
  readonly cacheWriteIsTotal: boolean;
}

/**
 * Disjoint buckets, or null when nothing was reported. The convention says that input includes cached tokens and output
 * includes reasoning; where the numbers themselves contradict it, arithmetic wins and a flag says so.
 */
export function disjointUsage(reported: ReportedTokens): { usage: Usage | null; flags: readonly string[] } {
  if (Object.values(reported).every((count) => typeof count !== "number")) return { usage: null, flags: [] };
  const flags: string[] = [];
  const cacheRead = reported.cacheRead ?? 0;
  const cacheWrite1h = reported.cacheWrite1h ?? 0;
  const writes = reported.cacheWrite ?? 0;
  const cacheWrite5m = reported.cacheWriteIsTotal ? Math.max(0, writes - cacheWrite1h) : writes;
  const cached = cacheRead + cacheWrite5m + cacheWrite1h;
  const inputReported = reported.input ?? cached;
  const inputIsExclusive = cached > inputReported;
  if (inputIsExclusive) flags.push("input_excludes_cache");

  const reasoning = reported.reasoning ?? 0;
  const outputReported = reported.output ?? reasoning;
  const outputIsExclusive = reasoning > outputReported;
  if (outputIsExclusive) flags.push("output_excludes_reasoning");

  const usage = {
    input: inputIsExclusive ? inputReported : inputReported - cached,
    cacheRead,
    cacheWrite5m,
    cacheWrite1h,
    output: outputIsExclusive ? outputReported : outputReported - reasoning,
    reasoning,
  };
  return { usage, flags };
}
