/** L4: what used to be read from the provider's cache is paid for in full. */

import { miss, rateDetector } from "./rate-detector.ts";

/** What the cache usually serves of an input of which it serves anything, and what a missed call costs more. */
interface Served {
  share: number;
  calls: number;
  nanoUsd: number;
}

/** Providers cache from about so many tokens of input. */
const cacheableTokensMin = 1024;
/** A call is a miss when it is served less than this part of the usual share. */
const missedBelow = 2 / 3;
const memoryCalls = 200;

export const cacheCollapse = rateDetector<Served>({
  id: "L4",
  name: "cache-collapse",
  summary: "fewer calls are served from the provider's cache, on a series whose input used to be cached",
  method:
    "Rate of calls with 1,024 tokens of input or more that are served less than two thirds of the share usually served, from the first that was served on. Shiryaev-Roberts over Bernoulli likelihood ratios, as D2.",
  kind: "cache_collapse",
  words: "calls without their usual cache are",
  scopes: ["model"],
  mode: "page",
  stateBytesMax: 2048,
  // Misses are common where all is well: the limit itself is wide enough.
  settings: { forgivenFactor: 1.1 },
  newMemory: () => ({ share: 0, calls: 0, nanoUsd: 0 }),
  begins: ({ cacheReadTokens }) => cacheReadTokens > 0,
  ask({ failed, inputTokens, cacheReadTokens, nanoUsd }, served) {
    if (failed || inputTokens < cacheableTokensMin) return null;
    const share = Math.min(1, cacheReadTokens / inputTokens);
    if (served.calls === 0 && share === 0) return null;
    if (share >= missedBelow * served.share) {
      served.calls = Math.min(memoryCalls, served.calls + 1);
      served.share += (share - served.share) / served.calls;
      served.nanoUsd += ((nanoUsd ?? 0) - served.nanoUsd) / served.calls;
      return miss;
    }
    return { hit: true, nanoUsd: nanoUsd === null ? 0 : Math.max(0, nanoUsd - served.nanoUsd) };
  },
});
