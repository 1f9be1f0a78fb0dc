/** Why spend changed between two periods: the slices of the calls that moved, and for each what moved it, in nano-dollars. */

import { rowLength } from "./amounts.ts";
import { type Measures, measuresOf } from "./measures.ts";
import { searchFactor } from "./search-factor.ts";
import { defaultSearchSettings, type FoundSlice, type SliceNames, searchSlices } from "./search-slices.ts";
import type { Dimension, SpendTable } from "./spend-table.ts";
import { type ChangeSplit, splitChange, type TwoPeriods } from "./split-change.ts";

export interface Cause {
  readonly names: SliceNames;
  /** Its part of the whole change; above 1 where the rest moved the other way. */
  readonly share: number;
  /** By how many spreads it moved apart from the rest. */
  readonly spreads: number;
  /** Its change by factor, exact. */
  readonly split: ChangeSplit;
  readonly before: Measures;
  readonly after: Measures;
  /** Set where calls moved to a model or prompt version rather than grew: its share of the calls around it. */
  readonly moved: Moved | null;
}

export interface Moved {
  readonly dimension: "model" | "promptVersion";
  readonly name: string;
  readonly shareBefore: number;
  readonly shareAfter: number;
}

export interface ChangeExplanation {
  /** The change of everything by factor; what was before is scaled to the length of the later period. */
  readonly whole: ChangeSplit;
  readonly before: Measures;
  readonly after: Measures;
  /** The largest first. Empty when the change is broad or within what moves by itself. */
  readonly causes: readonly Cause[];
}

/** Segments between which calls can move without any call having changed: their mix is a factor of its own. */
const segmentNames: readonly Dimension[] = ["feature", "model", "promptVersion"];
/** Calls have moved, not grown, when those around them grew by less than this share of the growth. */
const grownAround = 1 / 3;

/**
 * @param scale length of the later period over that of the earlier one.
 * @throws RangeError when it is not a positive number.
 */
export function explainChange(table: SpendTable, scale: number, settings = defaultSearchSettings): ChangeExplanation {
  if (!(scale > 0 && Number.isFinite(scale))) throw new RangeError(`scale ${scale}: expected a positive number`);
  const everything = Int32Array.from({ length: table.size }, (_, cell) => cell);
  const causes = causesOf(table, scale, settings).map(({ names, cells, share, spreads }) => {
    const periods = periodsOf(table, cells, scale);
    return {
      names,
      share,
      spreads,
      split: splitChange(periods),
      before: measuresOf(periods.before, scale),
      after: measuresOf(periods.after, 1),
      moved: movedWithin(table, names, scale),
    };
  });
  const periods = periodsOf(table, everything, scale);
  return {
    whole: splitChange(periods),
    before: measuresOf(periods.before, scale),
    after: measuresOf(periods.after, 1),
    causes,
  };
}

/** Slices in which one factor moved tell more than slices whose spend did, since calls come and go by themselves. */
function causesOf(table: SpendTable, scale: number, settings: typeof defaultSearchSettings): readonly FoundSlice[] {
  const byFactor = searchFactor(table, scale, settings);
  return byFactor.length > 0 ? byFactor : searchSlices(table, scale, settings);
}

/** Sums of cells by segment. */
function periodsOf(table: SpendTable, cells: Int32Array, scale: number): TwoPeriods {
  const numbers = new Map<string, number>();
  const ids = segmentNames.map((dimension) => table.ids(dimension));
  const segmentOf = Int32Array.from(cells, (cell) => {
    const key = ids.map((of) => of[cell]).join(" ");
    const known = numbers.get(key);
    if (known !== undefined) return known;
    numbers.set(key, numbers.size);
    return numbers.size - 1;
  });
  const summed = (rows: Float64Array) => {
    const sums = new Float64Array(numbers.size * rowLength);
    for (const [index, cell] of cells.entries()) {
      const segment = (segmentOf[index] ?? 0) * rowLength;
      for (let at = 0; at < rowLength; at++) {
        sums[segment + at] = (sums[segment + at] ?? 0) + (rows[cell * rowLength + at] ?? 0);
      }
    }
    return sums;
  };
  return { before: summed(table.rows("before")), after: summed(table.rows("after")), scale };
}

/** Whether the slice's calls came from others around it: the slice without the name of its model or version. */
function movedWithin(table: SpendTable, names: SliceNames, scale: number): Moved | null {
  for (const dimension of ["model", "promptVersion"] as const) {
    const name = names[dimension];
    if (name === undefined) continue;
    const own = callsUnder(table, names, scale);
    const around = callsUnder(table, { ...featuresOf(table, names), ...names, [dimension]: undefined }, scale);
    const grown = own.after - own.before;
    if (grown <= 0 || around.after - around.before > grownAround * grown || around.before <= 0) continue;
    return { dimension, name, shareBefore: own.before / around.before, shareAfter: own.after / around.after };
  }
  return null;
}

/** The one feature that all calls of the slice are of, if there is one: what is around a version is its feature. */
function featuresOf(table: SpendTable, names: SliceNames): SliceNames {
  const features = new Set<string>();
  const ids = table.ids("feature");
  for (const cell of cellsUnder(table, names)) features.add(table.name("feature", ids[cell] ?? 0));
  const [only] = features;
  return features.size === 1 && only !== undefined ? { feature: only } : {};
}

type Wanted = Readonly<Partial<Record<Dimension, string | undefined>>>;

function cellsUnder(table: SpendTable, names: Wanted): readonly number[] {
  const wanted = Object.entries(names).filter(([, name]) => name !== undefined) as [Dimension, string][];
  const ids = wanted.map(([dimension, name]) => ({ dimension, name, of: table.ids(dimension) }));
  const cells: number[] = [];
  for (let cell = 0; cell < table.size; cell++) {
    if (ids.every(({ dimension, name, of }) => table.name(dimension, of[cell] ?? 0) === name)) cells.push(cell);
  }
  return cells;
}

function callsUnder(
  table: SpendTable,
  names: Wanted,
  scale: number,
): { readonly before: number; readonly after: number } {
  const [before, after] = [table.rows("before"), table.rows("after")];
  const sums = { before: 0, after: 0 };
  for (const cell of cellsUnder(table, names)) {
    sums.before += scale * (before[cell * rowLength] ?? 0);
    sums.after += after[cell * rowLength] ?? 0;
  }
  return sums;
}
