/** Quantities times rates: the price of one call, exact, rounded once, and what each kind of token has of it. */

import type { NanoUsd } from "../model/money.ts";
import { type Modalities, modalityBuckets, totalInput, totalOutput, type Usage } from "../model/usage.ts";
import { type AttoUsd, roundToNano } from "./exact-rate.ts";
import { type Bracket, bracketOf, type RateCard, type Rates, type ShortRates } from "./rate-card.ts";

/** What is billed of a call. Disjoint buckets: a dialect has already taken cached tokens out of input. */
export interface Quantities {
  readonly usage: Usage;
  readonly modalities: Modalities | null;
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
const modalityNames = Object.keys(modalityBuckets) as readonly (keyof Modalities)[];

/** Nano-dollars of one call at list price, with its tag and carries. */
export function listCost(quantities: Quantities, card: RateCard): ListCost {
  const bracket = bracketOf(totalInput(quantities.usage), card);
  return shortCost(quantities, bracket) ?? longCost(quantities, bracket);
}

/** In plain numbers: whole numbers below 2^53 are exact. Null beyond. */
function shortCost({ usage, modalities, images, audioMs }: Quantities, { short, tag }: Bracket): ListCost | null {
  const { rates, unitsPerNano } = short;
  const input = usage.input * rates.input;
  const cacheRead = usage.cacheRead * rates.cacheRead;
  const cacheWrite = usage.cacheWrite5m * rates.cacheWrite5m + usage.cacheWrite1h * rates.cacheWrite1h;
  const output = usage.output * rates.output;
  const reasoning = usage.reasoning * rates.reasoning;
  const tokens = (totalInput(usage) + totalOutput(usage)) * rates.token;
  const surcharge = modalities === null ? 0 : shortSurcharge(modalities, rates);
  const other = tokens + rates.call + images * rates.image + audioMs * rates.audioMs + surcharge;
  const sum = input + cacheRead + cacheWrite + output + reasoning + other;
  if (sum + 2 * Math.abs(surcharge) > Number.MAX_SAFE_INTEGER) return null;
  const rest = sum % unitsPerNano;
  const down = (sum - rest) / unitsPerNano;
  if (unitsPerNano === 1) return { nanoUsd: sum, tag, carry: 0 };
  const up = 2 * rest > unitsPerNano || (2 * rest === unitsPerNano && down % 2 === 1);
  const nanoUsd = up ? down + 1 : down;
  const rests = [input, cacheRead, cacheWrite, output, reasoning, other].map((part) => restOf(part, unitsPerNano));
  const left = nanoUsd - (sum - rests.reduce((total, each) => total + each, 0)) / unitsPerNano;
  return { nanoUsd, tag, carry: carries(rests, left) };
}

/**
 * What sound and pictures cost beyond the text of their bucket, or less: a part of `other`, since the parts by kind are
 * tokens times the rates of text, from which the store derives them again.
 */
function shortSurcharge(modalities: Modalities, rates: ShortRates["rates"]): number {
  return modalityNames.reduce((sum, name) => sum + modalities[name] * (rates[name] - rates[modalityBuckets[name]]), 0);
}

/** Rounded down, also below 0. */
function restOf(part: number, unit: number): number {
  const rest = part % unit;
  return rest < 0 ? rest + unit : rest;
}

function longCost({ usage, modalities, images, audioMs }: Quantities, { rates, tag }: Bracket): ListCost {
  const parts = [
    part(usage.input, rates.input),
    part(usage.cacheRead, rates.cacheRead),
    part(usage.cacheWrite5m, rates.cacheWrite5m) + part(usage.cacheWrite1h, rates.cacheWrite1h),
    part(usage.output, rates.output),
    part(usage.reasoning, rates.reasoning),
    part(totalInput(usage) + totalOutput(usage), rates.token) +
      rates.call +
      part(images, rates.image) +
      part(audioMs, rates.audioMs) +
      (modalities === null ? 0n : longSurcharge(modalities, rates)),
  ];
  const nanoUsd = roundToNano(parts.reduce((sum, each) => sum + each, 0n));
  const cut = parts.map((each) => ((each % attoPerNano) + attoPerNano) % attoPerNano);
  const down = parts.reduce((sum, each, index) => sum + (each - (cut[index] ?? 0n)) / attoPerNano, 0n);
  const rests = cut.map(Number);
  return { nanoUsd, tag, carry: carries(rests, nanoUsd - Number(down)) };
}

/**
 * Largest remainder: each part is rounded down, and the nano-dollars left over go to those with the most cut off, the
 * first of equals.
 * @param rests what was cut off, in the order of `costKinds` and then all the rest, which needs no bit.
 */
function carries(rests: readonly number[], left: number): number {
  if (left === 0) return 0;
  const byRest = rests.map((_, index) => index).sort((a, b) => (rests[b] ?? 0) - (rests[a] ?? 0) || a - b);
  return byRest.slice(0, left).reduce((bits, index) => (index < rests.length - 1 ? bits | (1 << index) : bits), 0);
}

function longSurcharge(modalities: Modalities, rates: Rates): AttoUsd {
  return modalityNames.reduce(
    (sum, name) => sum + BigInt(modalities[name]) * (rates[name] - rates[modalityBuckets[name]]),
    0n,
  );
}

function part(count: number, rate: AttoUsd): AttoUsd {
  return count === 0 || rate === 0n ? 0n : BigInt(count) * rate;
}
