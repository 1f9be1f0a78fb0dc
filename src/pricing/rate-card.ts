/** The rates that hold for a model at a time, by size of input, ready to be multiplied. */

import { type PriceLabel, priceTag } from "../model/price-tag.ts";
import type { Modalities } from "../model/usage.ts";
import type { AttoUsd } from "./exact-rate.ts";

/** Rates of one bracket of input size, in atto-dollars per token, call, image or millisecond of audio. */
export interface Rates extends Readonly<Record<keyof Modalities, AttoUsd>> {
  readonly input: AttoUsd;
  readonly cacheRead: AttoUsd;
  readonly cacheWrite5m: AttoUsd;
  readonly cacheWrite1h: AttoUsd;
  readonly output: AttoUsd;
  readonly reasoning: AttoUsd;
  /** Of every token, whatever its kind, on top: a share of a fixed cost. */
  readonly token: AttoUsd;
  readonly call: AttoUsd;
  readonly image: AttoUsd;
  readonly audioMs: AttoUsd;
}

export type RateName = keyof Rates;

export const rateNames: readonly RateName[] = [
  "input",
  "cacheRead",
  "cacheWrite5m",
  "cacheWrite1h",
  "output",
  "reasoning",
  "token",
  "call",
  "image",
  "audioMs",
  "audioInput",
  "audioCacheRead",
  "audioOutput",
  "imageInput",
  "imageCacheRead",
  "imageOutput",
];

/** Rates as plain numbers, in the largest power of ten of atto-dollars of which all are whole numbers. */
export interface ShortRates {
  readonly rates: Readonly<Record<RateName, number>>;
  /** 1 where each rate is whole nano-dollars: then nothing needs rounding. */
  readonly unitsPerNano: number;
}

/** A bracket holds for calls whose whole input, cached tokens included, is above `inputAbove`; it prices every token. */
export interface Bracket {
  readonly inputAbove: number;
  readonly rates: Rates;
  readonly short: ShortRates;
  readonly tag: string;
}

export interface RateCard extends PriceLabel {
  /** Ascending; the first has `inputAbove` 0 and also prices a call without input. */
  readonly brackets: readonly Bracket[];
  /** What is no text and has a rate of its own here; the others are billed as the text of their bucket. */
  readonly ownRates: ReadonlySet<keyof Modalities>;
  /** Doubts about the price, put on each record that it prices. */
  readonly flags: readonly string[];
}

const attoPerNano = 1_000_000_000n;

/** A card of brackets in ascending order. @throws RangeError when a rate is too large for a tag, or there is no bracket. */
export function rateCard(
  brackets: readonly { readonly inputAbove: number; readonly rates: Rates }[],
  label: PriceLabel & Pick<RateCard, "flags" | "ownRates">,
): RateCard {
  if (brackets[0]?.inputAbove !== 0) throw new RangeError("a rate card begins with the bracket above 0");
  const { source, version, since, flags, ownRates } = label;
  return {
    source,
    version,
    since,
    flags,
    ownRates,
    brackets: brackets.map(({ inputAbove, rates }) => ({
      inputAbove,
      rates,
      short: shortRates(rates),
      tag: priceTag(rates, label),
    })),
  };
}

function shortRates(rates: Rates): ShortRates {
  let unit = attoPerNano;
  while (!rateNames.every((name) => rates[name] % unit === 0n)) unit /= 10n;
  const units = rateNames.map((name) => [name, Number(rates[name] / unit)]);
  return { rates: Object.fromEntries(units) as Record<RateName, number>, unitsPerNano: Number(attoPerNano / unit) };
}

/** The bracket for so many tokens of input, cached ones included. */
export function bracketOf(inputTokens: number, { brackets }: RateCard): Bracket {
  let found = brackets[0] as Bracket;
  for (const bracket of brackets) if (inputTokens > bracket.inputAbove) found = bracket;
  return found;
}

/** True where a call costs something although it has no tokens: by call, image or second. */
export function pricesWithoutTokens({ brackets }: RateCard): boolean {
  return brackets.every(
    ({ rates: { input, output, call, image, audioMs } }) =>
      input === 0n && output === 0n && (call > 0n || image > 0n || audioMs > 0n),
  );
}
