/** Usage times rates: the price of one call, exact, rounded once. */

import type { NanoUsd } from "../model/money.ts";
import { totalInput, type Usage } from "../model/usage.ts";
import { type AttoUsd, roundToNano } from "./exact-rate.ts";

/** Rates of one bracket of input size, in atto-dollars per token. */
export interface Rates {
  readonly input: AttoUsd;
  readonly cacheRead: AttoUsd;
  readonly cacheWrite5m: AttoUsd;
  readonly cacheWrite1h: AttoUsd;
  readonly output: AttoUsd;
  readonly reasoning: AttoUsd;
  /** Atto-dollars per call. */
  readonly call: AttoUsd;
}

/** A bracket holds for calls whose whole input, cached tokens included, is above `inputAbove`; it prices every token. */
export interface Bracket {
  readonly inputAbove: number;
  readonly rates: Rates;
}

/** Brackets in ascending order; the first has `inputAbove` 0 and also prices a call without input. */
export type RateCard = readonly Bracket[];

/** Nano-dollars of one call at list price. Disjoint buckets in: a dialect has already taken cached tokens out of input. */
export function listCost(usage: Usage, card: RateCard): NanoUsd {
  const { rates } = bracketOf(totalInput(usage), card);
  const atto =
    part(usage.input, rates.input) +
    part(usage.cacheRead, rates.cacheRead) +
    part(usage.cacheWrite5m, rates.cacheWrite5m) +
    part(usage.cacheWrite1h, rates.cacheWrite1h) +
    part(usage.output, rates.output) +
    part(usage.reasoning, rates.reasoning) +
    rates.call;
  return roundToNano(atto);
}

function bracketOf(inputTokens: number, card: RateCard): Bracket {
  let found = card[0];
  for (const bracket of card) if (inputTokens > bracket.inputAbove) found = bracket;
  if (found === undefined) throw new Error("a rate card has no bracket");
  return found;
}

function part(tokens: number, rate: AttoUsd): AttoUsd {
  return tokens === 0 ? 0n : BigInt(tokens) * rate;
}
