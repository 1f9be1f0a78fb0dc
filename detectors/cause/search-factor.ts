/**
 * Where one factor other than the number of calls has moved the spend, and in which slice. Calls come and go by themselves,
 * and agents' sessions do so in dollars; what a call is like is steadier. So where most of a change is one such factor
 * (retries, price, input length ...), its own part is searched for: each cell is compared with what it would have cost without.
 */

import { rowLength, rowNanoUsd } from "./amounts.ts";
import { cellSums, type FoundSlice, type SearchSettings, searchSums } from "./search-slices.ts";
import type { Sums } from "./slice-evidence.ts";
import type { Dimension, SpendTable } from "./spend-table.ts";
import { type Factor, factors, splitChange } from "./split-change.ts";

/**
 * What a call is like; volume and mix say how many there are of which. Cached shares are left out: they differ from session to
 * session by more than most cache breaks, and searching for them named the whole feature instead of its broken part.
 */
const steadyFactors: readonly Factor[] = ["retries", "input", "output", "reasoning", "price"];
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
  const { parts, bySegment, beforeNanoUsd, afterNanoUsd } = splitChange({ before, after, scale });
  const change = Number(afterNanoUsd - beforeNanoUsd);
  const factor = steadyFactors.find((each) => Number(parts[each]) / change >= factorShareMin);
  if (factor === undefined) return null;
  const at = factors.indexOf(factor);
  const rows = table.rows("after");
  const is = Float64Array.from({ length: table.size }, (_, cell) => Math.max(0, rowNanoUsd(rows, cell * rowLength)));
  const was = is.map((nanoUsd, cell) => {
    const segment = segmentOf[cell] ?? 0;
    const spent = rowNanoUsd(after, segment * rowLength);
    return spent > 0 ? Math.max(0, nanoUsd * (1 - (bySegment[segment]?.[at] ?? 0) / spent)) : nanoUsd;
  });
  return { before: was, after: is };
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
