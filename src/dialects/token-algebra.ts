/** From the counts a producer reports to disjoint buckets, whatever it includes in what. */

import type { Usage } from "../model/usage.ts";
import { flags } from "./flags.ts";

/** Counts as reported; undefined where not reported. */
export interface ReportedTokens {
  readonly input: number | undefined;
  /** Input without any cached token, where it is told apart: it leaves nothing to decide. */
  readonly uncachedInput: number | undefined;
  readonly cacheRead: number | undefined;
  /** All cache writes. */
  readonly cacheWrite: number | undefined;
  readonly cacheWrite5m: number | undefined;
  readonly cacheWrite1h: number | undefined;
  readonly output: number | undefined;
  /** Output without reasoning, where it is told apart. */
  readonly visibleOutput: number | undefined;
  readonly reasoning: number | undefined;
  readonly total: number | undefined;
}

/** Whether an emitter's input count includes cached tokens; `probably_excluded` where its versions are not told apart. */
export type CacheConvention = "included" | "excluded" | "probably_excluded" | "unknown";

export interface DisjointTokens {
  /** Null when nothing was reported. */
  readonly usage: Usage | null;
  readonly flags: readonly string[];
}

const nothing: DisjointTokens = { usage: null, flags: [] };
const noFlags: readonly string[] = [];

/**
 * Disjoint buckets of one call. What the numbers prove comes first, then what is known of the emitter, then the
 * convention that input includes cached tokens and output includes reasoning; doubts are flagged.
 */
export function disjointUsage(reported: ReportedTokens, convention: CacheConvention): DisjointTokens {
  if (isEmpty(reported)) return nothing;
  const cacheRead = reported.cacheRead ?? 0;
  const cacheWrite1h = reported.cacheWrite1h ?? 0;
  // What a sum holds beyond the hour's is billed as five minutes', whatever else is told of it.
  const sum = reported.cacheWrite;
  const cacheWrite5m = sum === undefined ? (reported.cacheWrite5m ?? 0) : Math.max(0, sum - cacheWrite1h);
  const reasoning = reported.reasoning ?? 0;
  const cached = cacheRead + cacheWrite5m + cacheWrite1h;
  const { input, output, splitUnknown } = totals(reported, cached, reasoning);
  const proof = proofOf({ input, output, cached, reasoning, total: reported.total });
  const cache = decideCache(reported, { proof, cached, convention });
  const reasoningExcluded = reported.visibleOutput === undefined && proof.reasoningExcluded;
  const usage: Usage = {
    input: reported.uncachedInput ?? (cache.excluded ? input : Math.max(0, input - cached)),
    cacheRead,
    cacheWrite5m,
    cacheWrite1h,
    output: reported.visibleOutput ?? (reasoningExcluded ? output : output - reasoning),
    reasoning,
  };
  if (cache.flag === "" && !reasoningExcluded && !splitUnknown) return { usage, flags: noFlags };
  const found: string[] = cache.flag === "" ? [] : [cache.flag];
  if (reasoningExcluded) found.push(flags.outputExcludesReasoning);
  if (splitUnknown) found.push(flags.splitUnknown);
  return { usage, flags: found };
}

function isEmpty(reported: ReportedTokens): boolean {
  return (
    reported.input === undefined &&
    reported.output === undefined &&
    reported.total === undefined &&
    reported.cacheRead === undefined &&
    reported.cacheWrite === undefined &&
    reported.cacheWrite5m === undefined &&
    reported.cacheWrite1h === undefined &&
    reported.reasoning === undefined &&
    reported.uncachedInput === undefined &&
    reported.visibleOutput === undefined
  );
}

/** Input and output as reported; where one is missing, it is what the other leaves of the total. */
function totals(reported: ReportedTokens, cached: number, reasoning: number) {
  const { total } = reported;
  const input = reported.input ?? (reported.uncachedInput === undefined ? undefined : reported.uncachedInput + cached);
  const output =
    reported.output ?? (reported.visibleOutput === undefined ? undefined : reported.visibleOutput + reasoning);
  if (total === undefined) return { input: input ?? cached, output: output ?? reasoning, splitUnknown: false };
  return {
    input: input ?? Math.max(cached, total - (output ?? reasoning)),
    output: output ?? (input === undefined ? reasoning : Math.max(reasoning, total - input)),
    splitUnknown: input === undefined && output === undefined && total > 0,
  };
}

interface Proof {
  readonly cacheExcluded: boolean;
  readonly reasoningExcluded: boolean;
}

interface Sums {
  readonly input: number;
  readonly output: number;
  readonly cached: number;
  readonly reasoning: number;
  readonly total: number | undefined;
}

/**
 * What the numbers prove. A part larger than its whole is no part of it. A total that equals input plus output proves
 * nothing (some emitters add up whatever they report); one that needs the cached or the reasoning tokens beside them
 * proves that they are not inside, unless two readings would explain it.
 */
function proofOf({ input, output, cached, reasoning, total }: Sums): Proof {
  const cacheOutside = cached > input;
  const reasoningOutside = reasoning > output;
  if (total === undefined || total === input + output) {
    return { cacheExcluded: cacheOutside, reasoningExcluded: reasoningOutside };
  }
  const byCache = cached > 0 && total === input + output + cached;
  const byReasoning = reasoning > 0 && total === input + output + reasoning;
  const byBoth = cached > 0 && reasoning > 0 && total === input + output + cached + reasoning;
  const ambiguous = byCache && byReasoning;
  return {
    cacheExcluded: cacheOutside || (byCache && !ambiguous) || byBoth,
    reasoningExcluded: reasoningOutside || (byReasoning && !ambiguous) || byBoth,
  };
}

interface CacheQuestion {
  readonly proof: Proof;
  readonly cached: number;
  readonly convention: CacheConvention;
}

function decideCache(reported: ReportedTokens, { proof, cached, convention }: CacheQuestion) {
  if (reported.uncachedInput !== undefined || cached === 0) return { excluded: false, flag: "" };
  if (proof.cacheExcluded) return { excluded: true, flag: convention === "excluded" ? "" : flags.inputExcludesCache };
  if (convention === "included") return { excluded: false, flag: "" };
  if (convention === "excluded") return { excluded: true, flag: "" };
  return { excluded: convention === "probably_excluded", flag: flags.cacheSemanticsAssumed };
}
