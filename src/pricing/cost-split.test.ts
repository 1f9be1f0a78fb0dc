/** The split of any cost: against a split worked out here from the amounts, in BigInts, without the code under test. */

import { expect, it } from "vitest";
import { costKinds, rateDigits, taggedRates } from "../model/price-tag.ts";
import type { Modalities, Usage } from "../model/usage.ts";
import { type ListCost, listCost } from "./list-cost.ts";
import { type Rates, rateCard, rateNames } from "./rate-card.ts";

/** mulberry32, as in the samples of the store: the same seed gives the same numbers everywhere. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const random = seeded(20261123);
const below = (limit: number) => Math.floor(random() * limit);
const nano = 1_000_000_000n;

function someRates(): Rates {
  // Whole nano-dollars, halves and thirds of them, and odd atto-dollars: every way in which parts have rests.
  const rate = () =>
    [0n, BigInt(below(100_000)) * nano, BigInt(below(1000)) * (nano / 2n), BigInt(below(1e12)), 333_333_333n][
      below(5)
    ] ?? 0n;
  return Object.fromEntries(rateNames.map((name) => [name, rate()])) as unknown as Rates;
}

function someUsage(): Usage {
  const count = () => [0, below(10), below(300_000)][below(3)] ?? 0;
  return {
    input: count(),
    cacheRead: count(),
    cacheWrite5m: count(),
    cacheWrite1h: count(),
    output: count(),
    reasoning: count(),
  };
}

/** Parts of the buckets, or none. */
function someModalities({ input, cacheRead, output }: Usage): Modalities | null {
  if (below(2) === 0) return null;
  const [audioInput, audioCacheRead, audioOutput] = [below(input + 1), below(cacheRead + 1), below(output + 1)];
  return {
    audioInput,
    audioCacheRead,
    audioOutput,
    imageInput: below(input - audioInput + 1),
    imageCacheRead: cacheRead - audioCacheRead,
    imageOutput: below(output - audioOutput + 1),
  };
}

/** What is no text, at its own rate instead of its bucket's: below 0 where it is cheaper. */
function surcharge(own: Modalities | null, rates: Rates): bigint {
  if (own === null) return 0n;
  return (
    BigInt(own.audioInput) * (rates.audioInput - rates.input) +
    BigInt(own.audioCacheRead) * (rates.audioCacheRead - rates.cacheRead) +
    BigInt(own.audioOutput) * (rates.audioOutput - rates.output) +
    BigInt(own.imageInput) * (rates.imageInput - rates.input) +
    BigInt(own.imageCacheRead) * (rates.imageCacheRead - rates.cacheRead) +
    BigInt(own.imageOutput) * (rates.imageOutput - rates.output)
  );
}

const rest = (atto: bigint) => ((atto % nano) + nano) % nano;

interface Call {
  readonly usage: Usage;
  readonly modalities: Modalities | null;
  readonly images: number;
  readonly audioMs: number;
}

/** Exact atto-dollars by kind, and of all the rest. */
function exactParts({ usage, modalities, images, audioMs }: Call, rates: Rates): bigint[] {
  const tokens = BigInt(Object.values(usage).reduce((sum, each) => sum + each, 0));
  return [
    BigInt(usage.input) * rates.input,
    BigInt(usage.cacheRead) * rates.cacheRead,
    BigInt(usage.cacheWrite5m) * rates.cacheWrite5m + BigInt(usage.cacheWrite1h) * rates.cacheWrite1h,
    BigInt(usage.output) * rates.output,
    BigInt(usage.reasoning) * rates.reasoning,
    tokens * rates.token +
      rates.call +
      BigInt(images) * rates.image +
      BigInt(audioMs) * rates.audioMs +
      surcharge(modalities, rates),
  ];
}

/** What the store makes of tag, tokens and carry. */
function derivedParts(usage: Usage, { nanoUsd, tag, carry }: ListCost): bigint[] {
  const rate = Object.fromEntries(
    taggedRates.map((name, index) => [name, BigInt(tag.slice(index * rateDigits, (index + 1) * rateDigits))]),
  ) as Record<(typeof taggedRates)[number], bigint>;
  const atto = [
    BigInt(usage.input) * rate.input,
    BigInt(usage.cacheRead) * rate.cacheRead,
    BigInt(usage.cacheWrite5m) * rate.cacheWrite5m + BigInt(usage.cacheWrite1h) * rate.cacheWrite1h,
    BigInt(usage.output) * rate.output,
    BigInt(usage.reasoning) * rate.reasoning,
  ];
  const parts = atto.map((each, index) => each / nano + BigInt((carry >> index) & 1));
  return [...parts, BigInt(nanoUsd) - parts.reduce((sum, each) => sum + each, 0n)];
}

const calls = Array.from({ length: 20_000 }, () => {
  const [usage, rates] = [someUsage(), someRates()];
  const label = { source: "own", version: "test", since: "", flags: [], ownRates: new Set<never>() } as const;
  const card = rateCard([{ inputAbove: 0, rates }], label);
  const call: Call = { usage, modalities: someModalities(usage), images: below(3), audioMs: below(5000) };
  return { usage, exact: exactParts(call, rates), cost: listCost(call, card) };
});

it("a total is rounded once, half to even", () => {
  for (const { exact, cost } of calls) {
    const sum = exact.reduce((total, each) => total + each, 0n);
    const [down, rest] = [sum / nano, sum % nano];
    const up = rest * 2n > nano || (rest * 2n === nano && down % 2n === 1n);
    expect(BigInt(cost.nanoUsd)).toBe(up ? down + 1n : down);
  }
});

it("parts sum to the total; each is its exact amount rounded down, or one nano-dollar more; the largest rests have it", () => {
  let carried = 0;
  for (const { usage, exact, cost } of calls) {
    const parts = derivedParts(usage, cost);
    expect(parts.reduce((sum, each) => sum + each, 0n)).toBe(BigInt(cost.nanoUsd));
    const extra = parts.map((part, index) => part - ((exact[index] ?? 0n) - rest(exact[index] ?? 0n)) / nano);
    expect(extra.every((each) => each === 0n || each === 1n)).toBe(true);
    const rests = exact.map(rest);
    const least = rests.filter((_, index) => extra[index] === 1n);
    const most = rests.filter((_, index) => extra[index] === 0n);
    for (const kept of least) for (const cut of most) expect(kept >= cut).toBe(true);
    carried += least.length;
  }
  expect(carried).toBeGreaterThan(5000);
});

it("any grouping of calls gives the same parts and the same total", () => {
  const total = (of: typeof calls) =>
    of.reduce<bigint[]>(
      (sums, { usage, cost }) => derivedParts(usage, cost).map((part, index) => part + (sums[index] ?? 0n)),
      Array.from({ length: costKinds.length + 1 }, () => 0n),
    );
  const whole = total(calls);
  expect(whole.reduce((sum, each) => sum + each, 0n)).toBe(
    calls.reduce((sum, { cost }) => sum + BigInt(cost.nanoUsd), 0n),
  );
  for (const groups of [2, 7, 1000]) {
    const chosen = Array.from({ length: groups }, (): typeof calls => []);
    for (const call of calls) chosen[below(groups)]?.push(call);
    const summed = chosen.map(total).reduce((sums, each) => sums.map((sum, index) => sum + (each[index] ?? 0n)));
    expect(summed).toEqual(whole);
  }
});
