/** Quantities times rates: the price of one call, exact, rounded once, and what each kind of token has of it. */

import type { NanoUsd } from "../model/money.ts";
import { totalInput, totalOutput, type Usage } from "../model/usage.ts";
import { type AttoUsd, roundToNano } from "./exact-rate.ts";
import { type Bracket, bracketOf, type RateCard } from "./rate-card.ts";

/** What is billed of a call. Disjoint buckets: a dialect has already taken cached tokens out of input. */
export interface Quantities {
  readonly usage: Usage;
  readonly images: number;
  readonly audioMs: number;
}

export interface ListCost {
  readonly nanoUsd: NanoUsd;
  readonly tag: string;
  /** Bits over `costKinds` (model/price-tag.ts). */
  readonly carry: number;
}

const attoPerNano = 1_000_000_000n;

/** Nano-dollars of one call at list price, with its tag and carries. */
export function listCost(quantities: Quantities, card: RateCard): ListCost {
  const bracket = bracketOf(totalInput(quantities.usage), card);
  const nanoUsd = wholeNanoUsd(quantities, bracket);
  if (nanoUsd !== null) return { nanoUsd, tag: bracket.tag, carry: 0 };
  const parts = attoParts(quantities, bracket);
  const total = roundToNano(parts.reduce((sum, part) => sum + part, 0n));
  return { nanoUsd: total, tag: bracket.tag, carry: carries(parts, total) };
}

/** Where each rate is a whole number of nano-dollars nothing is rounded and no part has a rest. */
function wholeNanoUsd({ usage, images, audioMs }: Quantities, { nanoRates }: Bracket): NanoUsd | null {
  if (nanoRates === null) return null;
  const nanoUsd =
    usage.input * nanoRates.input +
    usage.cacheRead * nanoRates.cacheRead +
    usage.cacheWrite5m * nanoRates.cacheWrite5m +
    usage.cacheWrite1h * nanoRates.cacheWrite1h +
    usage.output * nanoRates.output +
    usage.reasoning * nanoRates.reasoning +
    (totalInput(usage) + totalOutput(usage)) * nanoRates.token +
    nanoRates.call +
    images * nanoRates.image +
    audioMs * nanoRates.audioMs;
  // Sums of whole numbers below 2^53 are exact; beyond, the long way says what there is to say.
  return Number.isSafeInteger(nanoUsd) ? nanoUsd : null;
}

/** In the order of `costKinds`, then all the rest. */
function attoParts({ usage, images, audioMs }: Quantities, { rates }: Bracket): readonly AttoUsd[] {
  return [
    part(usage.input, rates.input),
    part(usage.cacheRead, rates.cacheRead),
    part(usage.cacheWrite5m, rates.cacheWrite5m) + part(usage.cacheWrite1h, rates.cacheWrite1h),
    part(usage.output, rates.output),
    part(usage.reasoning, rates.reasoning),
    part(totalInput(usage) + totalOutput(usage), rates.token) +
      rates.call +
      part(images, rates.image) +
      part(audioMs, rates.audioMs),
  ];
}

/** Largest remainder: each part rounded down, and the nano-dollars left over to those with the most cut off, first of equals. */
function carries(parts: readonly AttoUsd[], totalNanoUsd: NanoUsd): number {
  const rests = parts.map((atto, index) => ({ index, rest: atto % attoPerNano }));
  const down = parts.reduce((sum, atto) => sum + atto / attoPerNano, 0n);
  const left = totalNanoUsd - Number(down);
  rests.sort((a, b) => (a.rest === b.rest ? a.index - b.index : a.rest > b.rest ? -1 : 1));
  const carried = rests.slice(0, left).filter(({ index }) => index < parts.length - 1);
  return carried.reduce((bits, { index }) => bits | (1 << index), 0);
}

function part(count: number, rate: AttoUsd): AttoUsd {
  return count === 0 || rate === 0n ? 0n : BigInt(count) * rate;
}
