/** L7: answers are cut off at the limit of their length: paid for, useless, and often asked for again. */

import { miss, rateDetector } from "./rate-detector.ts";

/** The longest answer, and how often one was exactly as long: a limit that nobody reports. */
interface Longest {
  tokens: number;
  times: number;
}

/** So many answers of exactly the same, largest length are no coincidence. */
const timesMin = 3;
const limitTokensMin = 16;

export const truncation = rateDetector<Longest>({
  id: "L7",
  name: "truncation",
  summary: "more answers than usual are cut off; what they cost is wasted",
  method:
    "Rate of answers that end for their length, or, where no reason is given, are exactly as long as the longest so far for the third time. Shiryaev-Roberts over Bernoulli likelihood ratios, as D2.",
  kind: "truncation_surge",
  words: "cut-off answers are",
  scopes: ["feature"],
  mode: "ticket",
  stateBytesMax: 2048,
  newMemory: () => ({ tokens: 0, times: 0 }),
  ask({ failed, truncated, outputTokens, nanoUsd, record }, longest) {
    if (failed) return null;
    if (outputTokens > longest.tokens) Object.assign(longest, { tokens: outputTokens, times: 0 });
    if (outputTokens === longest.tokens) longest.times++;
    const atLimit = outputTokens === longest.tokens && outputTokens >= limitTokensMin && longest.times >= timesMin;
    const hit = truncated || (record.finishReason === "" && atLimit);
    return hit ? { hit, nanoUsd: nanoUsd ?? 0 } : miss;
  },
});
