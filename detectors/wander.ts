/**
 * How much the level of a series wanders by itself: real traffic is not exchangeable, its ranks drift up and down from
 * minute to minute. The means of blocks of ranks vary more than those of independent ranks would; the excess is the wander,
 * and bets forgive a multiple of it. It is learnt from the past only, so that each bet is fair for any stream whose mean
 * rank stays within the margin.
 */

import { marginMax } from "./rank-bets.ts";

/** Plain data. */
export interface Wander {
  sum: number;
  count: number;
  blocks: number;
  /** Fading mean of the squared block means of 2 rank - 1. */
  square: number;
}

const blockLength = 64;
/** Variance of a block mean of independent uniform ranks. */
const blockVariance = 1 / (3 * blockLength);
/** The newest block weighs at least this: a memory of about so many blocks. */
const newestWeight = 1 / 64;
/** What is assumed before it is known, as if that many blocks had shown it. */
const assumedBlocks = 8;
const assumedWander = 0.08;

/** A series of which nothing is known. */
export function newWander(): Wander {
  return { sum: 0, count: 0, blocks: assumedBlocks, square: assumedWander ** 2 + blockVariance };
}

/** Takes a rank of calm times. */
export function learnWander(wander: Wander, rank: number): void {
  wander.sum += 2 * rank - 1;
  if (++wander.count < blockLength) return;
  const mean = wander.sum / blockLength;
  wander.square += (mean * mean - wander.square) * Math.max(newestWeight, 1 / ++wander.blocks);
  wander.sum = 0;
  wander.count = 0;
}

/** What is forgiven of the mean of 2 rank - 1. */
export function marginOf(
  { square }: Wander,
  { marginMin, wanderFactor }: { readonly marginMin: number; readonly wanderFactor: number },
): number {
  const excess = square - blockVariance;
  if (wanderFactor === 0 || excess <= 0) return marginMin;
  return Math.min(marginMax, Math.max(marginMin, wanderFactor * Math.sqrt(excess)));
}
