/** L4: what used to be read from the provider's cache is paid for in full. */

import { shiftDetector } from "./shift-detector.ts";

/** Providers cache from about so many tokens of input. */
const cacheableTokensMin = 1024;
/** The uncached share is counted in thousandths, from 1 on. */
const perThousand = 1000;

export const cacheCollapse = shiftDetector({
  id: "L4",
  name: "cache-collapse",
  summary: "the share of input that no cache served has risen, on a series whose input used to be cached",
  method:
    "The flagship of D1 on the uncached share of each call with 1,024 tokens of input or more, from the first call that was served from a cache.",
  kind: "cache_collapse",
  measure: {
    name: "uncached_share",
    unit: "share",
    scale: 1 / perThousand,
    subject: "the uncached share of inputs is",
    comparative: "larger",
  },
  settings: { meanRatioMin: 1.3 },
  scopes: ["model"],
  mode: "page",
  stateBytesMax: 4096,
  begins: ({ cacheReadTokens }) => cacheReadTokens > 0,
  value: ({ inputTokens, cacheReadTokens }) =>
    inputTokens < cacheableTokensMin
      ? null
      : Math.max(1, Math.round((perThousand * Math.max(0, inputTokens - cacheReadTokens)) / inputTokens)),
});
