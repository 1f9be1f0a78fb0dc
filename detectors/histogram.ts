/**
 * A histogram over a window of bins that grows as values ask for it, with counts that fade. Counts are kept in one typed
 * array; a rank is a partial sum over it, from the nearer end: for the few dozen bins that a series has, that is as fast
 * as a Fenwick tree and a third of its size.
 */

import { binsMax, middle } from "./log-bins.ts";

/** Plain data. */
export interface Histogram {
  /** Bin of the first count. */
  first: number;
  counts: Float32Array;
  total: number;
}

/** The window grows by whole steps, so that it is not copied for every new bin. */
const windowStep = 16;

/** A histogram without a count. */
export function newHistogram(): Histogram {
  return { first: 0, counts: new Float32Array(0), total: 0 };
}

/** Counts one value by its bin. */
export function addBin(histogram: Histogram, bin: number): void {
  const index = bin - histogram.first;
  if (index >= 0 && index < histogram.counts.length) histogram.counts[index] = (histogram.counts[index] ?? 0) + 1;
  else widen(histogram, bin);
  histogram.total++;
}

/**
 * The smoothed conformal rank of a value that is not counted yet, in (0, 1): `tieBreak` in [0, 1) places it among its
 * equals. So long as all values are exchangeable and none has faded, ranks are independent and uniform, however few the
 * values (Vovk, Gammerman and Shafer, 2005).
 */
export function rankOf({ first, counts, total }: Histogram, bin: number, tieBreak: number): number {
  const index = bin - first;
  if (index < 0) return tieBreak / (total + 1);
  if (index >= counts.length) return (total + tieBreak) / (total + 1);
  let below = 0;
  if (index < counts.length >> 1) for (let i = 0; i < index; i++) below += counts[i] ?? 0;
  else {
    below = total;
    for (let i = index; i < counts.length; i++) below -= counts[i] ?? 0;
  }
  const rank = (below + tieBreak * ((counts[index] ?? 0) + 1)) / (total + 1);
  return Math.max(0, rank);
}

/** Lets all counts fade to a share of themselves. */
export function fade(histogram: Histogram, share: number): void {
  let total = 0;
  for (let i = 0; i < histogram.counts.length; i++) {
    histogram.counts[i] = (histogram.counts[i] ?? 0) * share;
    total += histogram.counts[i] ?? 0;
  }
  histogram.total = total;
}

/** Puts counts in that were kept apart. */
export function putIn(histogram: Histogram, counted: Histogram): void {
  for (let i = 0; i < counted.counts.length; i++) {
    const count = counted.counts[i] ?? 0;
    if (count === 0) continue;
    const bin = counted.first + i;
    addBin(histogram, bin);
    const index = bin - histogram.first;
    histogram.counts[index] = (histogram.counts[index] ?? 0) + count - 1;
    histogram.total += count - 1;
  }
}

/** Takes counts out again that had been counted; none falls below zero, as they may have faded since. */
export function takeOut(histogram: Histogram, counted: Histogram): void {
  for (let i = 0; i < counted.counts.length; i++) {
    const index = counted.first + i - histogram.first;
    const left = (histogram.counts[index] ?? 0) - (counted.counts[i] ?? 0);
    if (index >= 0 && index < histogram.counts.length) histogram.counts[index] = Math.max(0, left);
  }
  histogram.total = histogram.counts.reduce((sum, count) => sum + count, 0);
}

/** Mean of the values as their bins tell them; 0 without any. */
export function meanOf({ first, counts, total }: Histogram): number {
  let sum = 0;
  for (let i = 0; i < counts.length; i++) sum += (counts[i] ?? 0) * middle(first + i);
  return total > 0 ? sum / total : 0;
}

/** The value below which this share of the counts lies, by the middle of its bin; 0 without any. */
export function quantileOf({ first, counts, total }: Histogram, share: number): number {
  let left = share * total;
  for (let i = 0; i < counts.length; i++) {
    left -= counts[i] ?? 0;
    if (left <= 0 && (counts[i] ?? 0) > 0) return middle(first + i);
  }
  return total > 0 ? middle(first + counts.length - 1) : 0;
}

function widen(histogram: Histogram, bin: number): void {
  const { first, counts } = histogram;
  const empty = counts.length === 0;
  const from = empty ? bin : Math.min(first, bin);
  const until = empty ? bin + 1 : Math.max(first + counts.length, bin + 1);
  const newFirst = from - (from % windowStep);
  const length = Math.min(binsMax + windowStep, Math.ceil((until - newFirst) / windowStep) * windowStep);
  const wider = new Float32Array(length);
  if (!empty) wider.set(counts, first - newFirst);
  wider[bin - newFirst] = (wider[bin - newFirst] ?? 0) + 1;
  histogram.first = newFirst;
  histogram.counts = wider;
}
