/**
 * The change of a cost between two periods, split into what moved it. Exact in nano-dollars.
 *
 * The cost of a segment (a model with a prompt version, say) is
 *   volume x mix x retries x [ input length x (shares of the buckets x their prices) + output x price + reasoning x price + fee ]
 * with volume the logical calls of all segments, mix the segment's share of them, retries its attempts per logical call.
 * Each factor's part is its Shapley value over all orders in which the factors could have moved (Shapley 1953; in energy
 * economics "refined Laspeyres", Ang, Huang and Mu 2009): the parts sum to the change, no order is preferred, and a zero
 * needs no special limit. A segment that is new or gone has no lengths or prices in one period; it is given those of the
 * other, so that its whole change is volume and mix.
 */

import { buckets, column, rowLength, rowNanoUsd } from "./amounts.ts";
import { roundParts } from "./round-parts.ts";

/** What can move a cost. `other` holds what no call stands behind: corrections of calls of an earlier period. */
export const factors = ["volume", "mix", "retries", "input", "cache", "output", "reasoning", "price", "other"] as const;

export type Factor = (typeof factors)[number];

/** Rows of amounts (see `amounts.ts`), one per segment, the same segments in both. */
export interface TwoPeriods {
  readonly before: Float64Array;
  readonly after: Float64Array;
  /** Length of the later period over that of the earlier one: what was before is multiplied by it. */
  readonly scale: number;
}

export interface ChangeSplit {
  readonly beforeNanoUsd: bigint;
  readonly afterNanoUsd: bigint;
  /** Nano-dollars of the change by factor; they sum to after - before. */
  readonly parts: Readonly<Record<Factor, bigint>>;
  /** The same by segment, in the order of the rows: each inner list is in the order of `factors`. */
  readonly bySegment: readonly (readonly number[])[];
}

const moving = 8;
const subsets = 1 << moving;
/** Shapley's weight of a subset that lacks the factor, by its size: |T|! (n - |T| - 1)! / n!. */
const weights = Array.from(
  { length: moving },
  (_, size) => (factorial(size) * factorial(moving - size - 1)) / factorial(moving),
);
const sizeOf = Uint8Array.from({ length: subsets }, (_, subset) => subset.toString(2).replaceAll("0", "").length);

/** Splits the change of all segments together. O(segments x 2^8). */
export function splitChange(periods: TwoPeriods): ChangeSplit {
  const { before, after } = periods;
  const segments = Math.floor(after.length / rowLength);
  const volumes = { before: volumeOf(before) * periods.scale, after: volumeOf(after) };
  const sums = factors.map(() => 0n);
  const bySegment: number[][] = [];
  let beforeNanoUsd = 0n;
  let afterNanoUsd = 0n;
  const values = new Float64Array(subsets);
  for (let segment = 0; segment < segments; segment++) {
    const offset = segment * rowLength;
    const was = Math.round(rowNanoUsd(before, offset) * periods.scale);
    const is = rowNanoUsd(after, offset);
    const expressible = fillValues(values, { periods, offset, volumes });
    const parts = expressible ? [...shapley(values), 0] : [...Array<number>(moving).fill(0), is - was];
    const rounded = roundParts(parts, is - was);
    bySegment.push(rounded);
    for (const [index, part] of rounded.entries()) sums[index] = (sums[index] ?? 0n) + BigInt(part);
    beforeNanoUsd += BigInt(was);
    afterNanoUsd += BigInt(is);
  }
  const parts = Object.fromEntries(factors.map((factor, index) => [factor, sums[index] ?? 0n])) as Record<
    Factor,
    bigint
  >;
  return { beforeNanoUsd, afterNanoUsd, parts, bySegment };
}

/** Requests, whatever number of attempts each took. At least one where there was any call. */
function logicalCalls(rows: Float64Array, offset: number): number {
  const calls = rows[offset + column.calls] ?? 0;
  return calls <= 0 ? 0 : Math.max(1, calls - (rows[offset + column.retries] ?? 0));
}

function volumeOf(rows: Float64Array): number {
  let sum = 0;
  for (let offset = 0; offset < rows.length; offset += rowLength) sum += logicalCalls(rows, offset);
  return sum;
}

/** A segment in one period; undefined where the period cannot say. */
interface Segment {
  readonly volume: number;
  readonly mix: number | undefined;
  readonly retries: number | undefined;
  /** Per call. */
  readonly inputTokens: number | undefined;
  readonly outputTokens: number | undefined;
  readonly reasoningTokens: number | undefined;
  /** Of the input tokens: plain, read from a cache, written to one. */
  readonly shares: readonly (number | undefined)[];
  /** Nano-dollars a token by bucket, then of a call. */
  readonly prices: readonly (number | undefined)[];
}

function segmentOf(rows: Float64Array, offset: number, volume: number, scale: number): Segment {
  const at = (index: number) => rows[offset + index] ?? 0;
  const calls = at(column.calls);
  const logical = logicalCalls(rows, offset);
  const tokens = buckets.map((_, index) => at(column.tokens + index));
  const inputTokens = (tokens[0] ?? 0) + (tokens[1] ?? 0) + (tokens[2] ?? 0);
  const perCall = (amount: number | undefined) => (calls > 0 ? (amount ?? 0) / calls : undefined);
  // Money without tokens has no price per token: it is a fee.
  const stray = buckets.reduce((sum, _, index) => sum + (tokens[index] === 0 ? at(column.nanoUsd + index) : 0), 0);
  return {
    volume,
    mix: volume > 0 ? (logical * scale) / volume : undefined,
    retries: logical > 0 ? calls / logical : undefined,
    inputTokens: perCall(inputTokens),
    outputTokens: perCall(tokens[3]),
    reasoningTokens: perCall(tokens[4]),
    shares: [0, 1, 2].map((index) => (inputTokens > 0 ? (tokens[index] ?? 0) / inputTokens : undefined)),
    prices: [
      ...tokens.map((count, index) => (count > 0 ? at(column.nanoUsd + index) / count : undefined)),
      perCall(at(column.fee) + stray),
    ],
  };
}

interface SegmentPlace {
  readonly periods: TwoPeriods;
  readonly offset: number;
  readonly volumes: { readonly before: number; readonly after: number };
}

/** Cost of the segment for each subset of factors taken from the later period. @returns false where calls cannot express it. */
function fillValues(values: Float64Array, { periods, offset, volumes }: SegmentPlace): boolean {
  if (!isExpressible(periods.before, offset) || !isExpressible(periods.after, offset)) return false;
  const one = segmentOf(periods.before, offset, volumes.before, periods.scale);
  const two = segmentOf(periods.after, offset, volumes.after, 1);
  const pair = (a: number | undefined, b: number | undefined): Pair => [a ?? b ?? 0, b ?? a ?? 0];
  const volume = [one.volume, two.volume] as const;
  const mix = pair(one.mix, two.mix);
  const retries = pair(one.retries, two.retries);
  const lengths = [
    pair(one.inputTokens, two.inputTokens),
    pair(one.outputTokens, two.outputTokens),
    pair(one.reasoningTokens, two.reasoningTokens),
  ];
  const shares = [0, 1, 2].map((index) => pair(one.shares[index], two.shares[index]));
  const prices = one.prices.map((price, index) => pair(price, two.prices[index]));
  // The bits of a subset, from the lowest: the factors in their order.
  const blended = [0, 1].map((price) => [0, 1].map((cache) => blend(shares, prices, [cache, price])));
  for (let subset = 0; subset < subsets; subset++) {
    const [cache, price] = [(subset >> 4) & 1, (subset >> 7) & 1];
    const perCall =
      (lengths[0]?.[(subset >> 3) & 1] ?? 0) * (blended[price]?.[cache] ?? 0) +
      (lengths[1]?.[(subset >> 5) & 1] ?? 0) * (prices[3]?.[price] ?? 0) +
      (lengths[2]?.[(subset >> 6) & 1] ?? 0) * (prices[4]?.[price] ?? 0) +
      (prices[5]?.[price] ?? 0);
    const attempts = (volume[subset & 1] ?? 0) * (mix[(subset >> 1) & 1] ?? 0) * (retries[(subset >> 2) & 1] ?? 0);
    values[subset] = attempts * perCall;
  }
  return true;
}

type Pair = readonly [number, number];

/** Nano-dollars of an average input token. */
function blend(shares: readonly Pair[], prices: readonly Pair[], [cache, price]: readonly number[]): number {
  let sum = 0;
  for (let index = 0; index < shares.length; index++) {
    sum += (shares[index]?.[cache ?? 0] ?? 0) * (prices[index]?.[price ?? 0] ?? 0);
  }
  return sum;
}

function isExpressible(rows: Float64Array, offset: number): boolean {
  const calls = rows[offset + column.calls] ?? 0;
  for (let index = 0; index < rowLength; index++) if ((rows[offset + index] ?? 0) < 0) return false;
  return calls > 0 || rowNanoUsd(rows, offset) === 0;
}

function shapley(values: Float64Array): number[] {
  return Array.from({ length: moving }, (_, factor) => {
    const bit = 1 << factor;
    let part = 0;
    for (let subset = 0; subset < subsets; subset++) {
      if ((subset & bit) !== 0) continue;
      part += (weights[sizeOf[subset] ?? 0] ?? 0) * ((values[subset | bit] ?? 0) - (values[subset] ?? 0));
    }
    return part;
  });
}

function factorial(n: number): number {
  return n <= 1 ? 1 : n * factorial(n - 1);
}
