/**
 * Where one factor other than the number of calls has moved the spend, and in which slice. Calls come and go by themselves,
 * and agents' sessions do so in dollars; what a call is like is steadier. So where most of a change is one such factor
 * (retries, price, input length ...), its own part is searched for: each cell is compared with what it would have cost without.
 */

import { buckets, column, rowLength, rowNanoUsd } from "./amounts.ts";
import { cellSums, type FoundSlice, type SearchSettings, searchSums } from "./search-slices.ts";
import type { Sums } from "./slice-evidence.ts";
import type { Dimension, SpendTable } from "./spend-table.ts";
import { splitChange } from "./split-change.ts";

/**
 * What a call is like; volume and mix say how many there are of which. Cached shares are left out: they differ from session to
 * session by more than most cache breaks, and searching for them named the whole feature instead of its broken part.
 */
const steadyFactors = ["retries", "input", "output", "reasoning", "price"] as const;
type SteadyFactor = (typeof steadyFactors)[number];
/** Places of the buckets whose tokens a length counts. */
const bucketsOf = { input: [0, 1, 2], output: [3], reasoning: [4] } as const;
/** One factor must be so much of the change. */
const factorShareMin = 0.6;
/** Users come and go: what their calls are like is taken from all calls of these names. */
const segmentDimensions: readonly Dimension[] = ["tenant", "feature", "model", "promptVersion"];

/** Slices as `searchSlices` gives them, their shares of the whole change; none where no steady factor stands out. */
export function searchFactor(table: SpendTable, scale: number, settings: SearchSettings): readonly FoundSlice[] {
  const real = cellSums(table, scale);
  const sums = withoutFactor(table, scale);
  if (sums === null) return [];
  const changeOf = (cells: Iterable<number>) => {
    let change = 0;
    for (const cell of cells) change += (real.after[cell] ?? 0) - (real.before[cell] ?? 0);
    return change;
  };
  const change = changeOf(real.after.keys());
  if (Math.abs(change) < settings.changeMin * real.before.reduce((sum, nanoUsd) => sum + nanoUsd, 0)) return [];
  const found = searchSums(table, sums, 1, settings).map((slice) => ({
    ...slice,
    share: changeOf(slice.cells) / change,
  }));
  return found.some(({ share }) => share < settings.shareMin) ? [] : found;
}

/** What each cell cost, and what it would have cost if the factor had stayed; null where none is most of the change. */
function withoutFactor(table: SpendTable, scale: number): Sums | null {
  const { segmentOf, before, after } = segmentsOf(table);
  const { parts, beforeNanoUsd, afterNanoUsd } = splitChange({ before, after, scale });
  const change = Number(afterNanoUsd - beforeNanoUsd);
  const factor = steadyFactors.find((each) => Number(parts[each]) / change >= factorShareMin);
  if (factor === undefined) return null;
  const rows = table.rows("after");
  const is = Float64Array.from({ length: table.size }, (_, cell) => Math.max(0, rowNanoUsd(rows, cell * rowLength)));
  const was = is.map((nanoUsd, cell) => {
    const offset = (segmentOf[cell] ?? 0) * rowLength;
    const spent = rowNanoUsd(after, offset);
    const part = partOf(factor, before.subarray(offset), after.subarray(offset));
    return spent > 0 ? Math.max(0, nanoUsd * (1 - part / spent)) : nanoUsd;
  });
  return { before: was, after: is };
}

/** Nano-dollars of a segment's later period that are due to the factor; 0 where the earlier one cannot say what it was. */
function partOf(factor: SteadyFactor, before: Float64Array, after: Float64Array): number {
  const was = (at: number) => before[at] ?? 0;
  const is = (at: number) => after[at] ?? 0;
  if (was(column.calls) <= 0 || is(column.calls) <= 0) return 0;
  if (factor === "price") {
    return sumOver(buckets.keys(), (at) => {
      const [earlier, later] = [was(column.tokens + at), is(column.tokens + at)];
      const cost = is(column.nanoUsd + at);
      return earlier > 0 && later > 0 ? cost - (later * was(column.nanoUsd + at)) / earlier : 0;
    });
  }
  if (factor === "retries") {
    const attempts = (of: (at: number) => number) =>
      of(column.calls) / Math.max(1, of(column.calls) - of(column.retries));
    return rowNanoUsd(after, 0) * (1 - attempts(was) / attempts(is));
  }
  const own = bucketsOf[factor];
  const length = (of: (at: number) => number) => sumOver(own, (at) => of(column.tokens + at)) / of(column.calls);
  const cost = sumOver(own, (at) => is(column.nanoUsd + at));
  return length(is) > 0 ? cost * (1 - length(was) / length(is)) : 0;
}

function sumOver(indexes: Iterable<number>, amount: (at: number) => number): number {
  let sum = 0;
  for (const at of indexes) sum += amount(at);
  return sum;
}

function segmentsOf(table: SpendTable) {
  const ids = segmentDimensions.map((dimension) => table.ids(dimension));
  const numbers = new Map<string, number>();
  const segmentOf = Int32Array.from({ length: table.size }, (_, cell) => {
    const key = ids.map((of) => of[cell]).join(" ");
    const number = numbers.get(key) ?? numbers.size;
    numbers.set(key, number);
    return number;
  });
  const summed = (rows: Float64Array) => {
    const sums = new Float64Array(numbers.size * rowLength);
    for (const [cell, segment] of segmentOf.entries()) {
      for (let at = 0; at < rowLength; at++) {
        const to = segment * rowLength + at;
        sums[to] = (sums[to] ?? 0) + (rows[cell * rowLength + at] ?? 0);
      }
    }
    return sums;
  };
  return { segmentOf, before: summed(table.rows("before")), after: summed(table.rows("after")) };
}
