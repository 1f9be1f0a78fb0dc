/** L6: a model thinks longer for each token that it says. */

import { shiftDetector } from "./shift-detector.ts";

/** Reasoning tokens per 100 visible ones, so that a ratio below 1 can be told. */
const perHundred = 100;

export const reasoningExplosion = shiftDetector({
  id: "L6",
  name: "reasoning-explosion",
  summary: "more reasoning tokens than usual for each visible token of the answer",
  method: "The flagship of D1 on reasoning over visible output tokens, from the first call that reasoned.",
  kind: "reasoning_explosion",
  measure: {
    name: "reasoning_ratio",
    unit: "ratio",
    scale: 1 / perHundred,
    subject: "reasoning per visible token is",
    comparative: "longer",
  },
  settings: { meanRatioMin: 1.3 },
  scopes: ["model"],
  mode: "ticket",
  stateBytesMax: 4096,
  begins: ({ reasoningTokens }) => reasoningTokens > 0,
  value: ({ outputTokens, reasoningTokens }) =>
    Math.round((perHundred * reasoningTokens) / (Math.max(0, outputTokens - reasoningTokens) + 1)),
});
