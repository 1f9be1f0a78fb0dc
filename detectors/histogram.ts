/**
 * A histogram over a window of bins that grows as values ask for it, with counts that fade. A rank is a partial sum over
 * its cells, from the nearer end: for the few dozen bins that a series has, that is as fast as a Fenwick tree and a third
 * of its size.
 */

import { type Block, type CellStore, giveBackCells, newBlock, takeCells } from "./cells.ts";
import { binsMax, middle } from "./log-bins.ts";

/** Plain data. Its cells are the counts of the bins from `first` on. */
export interface Histogram extends Block {
  first: number;
  total: number;
}

/** The window grows by whole steps, so that it is not copied for every new bin. */
const windowStep = 16;

/** A histogram without a count, and without a cell before its first. */
export function newHistogram(store: CellStore | null = null): Histogram {
  return { ...newBlock(store, 0), first: 0, total: 0 };
}

/** Takes out everything, and gives the cells back. */
export function emptyHistogram(histogram: Histogram): void {
  giveBackCells(histogram);
  histogram.first = 0;
  histogram.total = 0;
}

/** How many values a bin holds. */
export function countOf({ cells, at, length, first }: Histogram, bin: number): number {
  const index = bin - first;
  return index >= 0 && index < length ? (cells[at + index] ?? 0) : 0;
}

/** Bins of the window with their counts, in their order. */
export function* binsOf(histogram: Histogram): Generator<readonly [bin: number, count: number]> {
  const { first, length } = histogram;
  for (let bin = first; bin < first + length; bin++) yield [bin, countOf(histogram, bin)];
}

/** Counts one value by its bin. */
export function addBin(histogram: Histogram, bin: number): void {
  if (bin < histogram.first || bin >= histogram.first + histogram.length) widen(histogram, bin);
  const cell = histogram.at + bin - histogram.first;
  histogram.cells[cell] = (histogram.cells[cell] ?? 0) + 1;
  histogram.total++;
}

/**
 * The smoothed conformal rank of a value that is not counted yet, in (0, 1): `tieBreak` in [0, 1) places it among its
 * equals. So long as all values are exchangeable and none has faded, ranks are independent and uniform, however few the
 * values (Vovk, Gammerman and Shafer, 2005).
 */
export function rankOf({ cells, at, length, first, total }: Histogram, bin: number, tieBreak: number): number {
  const index = bin - first;
  if (index < 0) return tieBreak / (total + 1);
  if (index >= length) return (total + tieBreak) / (total + 1);
  let below = 0;
  if (index < length >> 1) for (let i = at; i < at + index; i++) below += cells[i] ?? 0;
  else {
    below = total;
    for (let i = at + index; i < at + length; i++) below -= cells[i] ?? 0;
  }
  const rank = (below + tieBreak * ((cells[at + index] ?? 0) + 1)) / (total + 1);
  return Math.max(0, rank);
}

/** Lets all counts fade to a share of themselves. */
export function fade(histogram: Histogram, share: number): void {
  const { cells, at, length } = histogram;
  let total = 0;
  for (let i = at; i < at + length; i++) {
    cells[i] = (cells[i] ?? 0) * share;
    total += cells[i] ?? 0;
  }
  histogram.total = total;
}

/** Takes one value of a bin out again, if it holds one. */
export function takeOutOne(histogram: Histogram, bin: number): void {
  if (countOf(histogram, bin) <= 0) return;
  const cell = histogram.at + bin - histogram.first;
  histogram.cells[cell] = (histogram.cells[cell] ?? 0) - 1;
  histogram.total--;
}

/** Puts counts in that were kept apart. */
export function putIn(histogram: Histogram, counted: Histogram): void {
  for (const [bin, count] of binsOf(counted)) {
    if (count === 0) continue;
    addBin(histogram, bin);
    const cell = histogram.at + bin - histogram.first;
    histogram.cells[cell] = (histogram.cells[cell] ?? 0) + count - 1;
    histogram.total += count - 1;
  }
}

/** Takes counts out again that had been counted; none falls below zero, as they may have faded since. */
export function takeOut(histogram: Histogram, counted: Histogram): void {
  const { cells, at, length, first } = histogram;
  let total = 0;
  for (let i = 0; i < length; i++) {
    cells[at + i] = Math.max(0, (cells[at + i] ?? 0) - countOf(counted, first + i));
    total += cells[at + i] ?? 0;
  }
  histogram.total = total;
}

/** Mean of the values as their bins tell them; 0 without any. */
export function meanOf({ cells, at, length, first, total }: Histogram): number {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += (cells[at + i] ?? 0) * middle(first + i);
  return total > 0 ? sum / total : 0;
}

/** The value below which this share of the counts lies, by the middle of its bin; 0 without any. */
export function quantileOf({ cells, at, length, first, total }: Histogram, share: number): number {
  let left = share * total;
  for (let i = 0; i < length; i++) {
    const count = cells[at + i] ?? 0;
    left -= count;
    if (left <= 0 && count > 0) return middle(first + i);
  }
  return total > 0 ? middle(first + length - 1) : 0;
}

/** Moves to a window that holds the bin, too. */
function widen(histogram: Histogram, bin: number): void {
  const { cells, at, length, first } = histogram;
  const empty = length === 0;
  const from = empty ? bin : Math.min(first, bin);
  const until = empty ? bin + 1 : Math.max(first + length, bin + 1);
  const newFirst = from - (from % windowStep);
  const counts = cells.slice(at, at + length);
  giveBackCells(histogram);
  takeCells(histogram, Math.min(binsMax + windowStep, Math.ceil((until - newFirst) / windowStep) * windowStep));
  if (!empty) histogram.cells.set(counts, histogram.at + first - newFirst);
  histogram.first = newFirst;
}
