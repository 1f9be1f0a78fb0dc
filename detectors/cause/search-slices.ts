/**
 * The smallest slice of the calls that explains a change of spend: a conjunction of up to three names of tenant, feature,
 * model, prompt version and user.
 *
 * Every conjunction that occurs is judged (about 100,000 for 10,000 cells, in tens of milliseconds; hence no beam search).
 * Its score is the square of the share of the change that lies in it, times the root of its G-statistic (Kulldorff's scan
 * statistic of 1997 for two periods), in units of how unevenly money moves outside of it. A part of the true slice holds
 * less of the change and leaves an uneven rest; a larger slice is diluted by cells that did not move: both score lower.
 * The found slice's cells are taken out and the rest is searched again. What is found is certain when it moved by more
 * than its own parts and everything left vary, and further than any slice of its kind that is left. A rise of everything
 * alike has no such slice: it is broad.
 */

import { rowLength, rowNanoUsd } from "./amounts.ts";
import { gStatistic, leadOver, Spread, type Sums, total, type View, viewOf } from "./slice-evidence.ts";
import { type Cuboid, cuboidsOf } from "./slices.ts";
import type { Dimension, SpendTable } from "./spend-table.ts";

export interface SearchSettings {
  readonly causesMax: number;
  /** The search ends when this share of the change is explained. */
  readonly explainedEnough: number;
  /** When less than this share is explained by slices, the change is broad. */
  readonly explainedMin: number;
  /** A slice with a smaller share of the change is no cause. */
  readonly shareMin: number;
  /** A change of less than this share of the earlier spend is not searched. */
  readonly changeMin: number;
  /** Spreads by which a slice must have moved apart from the rest. */
  readonly spreadsMin: number;
  /** How many times further it must have moved than any other slice of its kind. */
  readonly leadMin: number;
  /** Each name more in a conjunction must raise its score by this share. */
  readonly namePenalty: number;
}

export const defaultSearchSettings: SearchSettings = {
  causesMax: 3,
  explainedEnough: 0.8,
  explainedMin: 0.5,
  shareMin: 0.1,
  changeMin: 0.05,
  spreadsMin: 2,
  leadMin: 1.5,
  namePenalty: 0.1,
};

export type SliceNames = Readonly<Partial<Record<Dimension, string>>>;

export interface FoundSlice {
  readonly names: SliceNames;
  /** Its cells, without those of slices found before it. */
  readonly cells: Int32Array;
  /** Its part of the whole change: 0.92 is 92 %; above 1 where the rest moved the other way. */
  readonly share: number;
  /** By how many spreads it moved apart from the rest. */
  readonly spreads: number;
}

/** Slices that explain the change, the largest explanation first; none when it is broad or too small to tell from noise. */
export function searchSlices(
  table: SpendTable,
  scale: number,
  settings = defaultSearchSettings,
): readonly FoundSlice[] {
  return searchSums(table, cellSums(table, scale), scale, settings);
}

/** The same among other sums over the table's cells, which it empties; `scale` is what the earlier ones were multiplied by. */
export function searchSums(
  table: SpendTable,
  cells: Sums,
  scale: number,
  settings: SearchSettings,
): readonly FoundSlice[] {
  const before = total(cells.before);
  const change = total(cells.after) - before;
  if (change === 0 || Math.abs(change) < settings.changeMin * before) return [];
  const cuboids = cuboidsOf(table);
  const found: (Candidate & { readonly cells: Int32Array })[] = [];
  let explained = 0;
  while (found.length < settings.causesMax && explained < settings.explainedEnough) {
    const best = bestSlice(cuboids, cells, { change, scale, settings });
    if (best === null) break;
    found.push({ ...best, cells: takeOut(best, cells) });
    explained += best.share;
  }
  // Judged against what is left, in which no cause is: two causes at once would else excuse each other.
  const left = cuboids.map((cuboid) => viewOf(cuboid, cells));
  const causes = found.flatMap((candidate) => {
    const { cuboid, number, share, within } = candidate;
    const others = left.find((view) => view.cuboid === cuboid);
    if (others === undefined || leadOver(others, candidate) < settings.leadMin) return [];
    const spreads = Math.sqrt(candidate.g / Math.max(within, new Spread(cuboid, left, cells, scale).beside()));
    return spreads < settings.spreadsMin
      ? []
      : [{ names: namesOf(table, cuboid, number), cells: candidate.cells, share, spreads }];
  });
  return causes.reduce((sum, { share }) => sum + share, 0) >= settings.explainedMin ? causes : [];
}

/** Nano-dollars of each cell in both periods, nothing below zero. */
export function cellSums(table: SpendTable, scale: number): Sums {
  const of = (rows: Float64Array, factor: number) =>
    Float64Array.from({ length: table.size }, (_, cell) => Math.max(0, rowNanoUsd(rows, cell * rowLength) * factor));
  return { before: of(table.rows("before"), scale), after: of(table.rows("after"), 1) };
}

interface Candidate {
  readonly cuboid: Cuboid;
  readonly number: number;
  readonly was: number;
  readonly is: number;
  readonly share: number;
  readonly g: number;
  /** The unit as it shows among the slice's own parts. */
  readonly within: number;
  readonly score: number;
}

interface Question {
  readonly change: number;
  readonly scale: number;
  readonly settings: SearchSettings;
}

function bestSlice(cuboids: readonly Cuboid[], cells: Sums, question: Question): Candidate | null {
  const views = cuboids.map((cuboid) => viewOf(cuboid, cells));
  let best: Candidate | null = null;
  for (const view of views) best = betterOf(best, view, { views, cells, question });
  return best;
}

/** The best slice of a cuboid, if it is better than the best so far. */
function betterOf(
  sofar: Candidate | null,
  view: View,
  { views, cells, question }: { readonly views: readonly View[]; readonly cells: Sums; readonly question: Question },
): Candidate | null {
  const { change, scale, settings } = question;
  const { cuboid } = view;
  const all = { was: total(view.before), is: total(view.after) };
  const penalty = 1 - settings.namePenalty * (cuboid.dimensions.length - 1);
  let spread: Spread | undefined;
  let best = sofar;
  for (let number = 0; number < cuboid.count; number++) {
    const slice = { was: view.before[number] ?? 0, is: view.after[number] ?? 0 };
    const share = (slice.is - slice.was) / change;
    if (share < settings.shareMin) continue;
    const g = gStatistic(slice, all, { scale, rising: change > 0 });
    spread ??= new Spread(cuboid, views, cells, scale);
    const score = Math.min(1, share) ** 2 * Math.sqrt(g / spread.beside(number)) * penalty;
    if (score > (best?.score ?? 0)) best = { cuboid, number, ...slice, share, g, within: spread.within(number), score };
  }
  return best;
}

/** The cells of a slice that still hold anything; afterwards they hold nothing. */
function takeOut({ cuboid, number }: Candidate, cells: Sums): Int32Array {
  const taken: number[] = [];
  for (let cell = 0; cell < cells.before.length; cell++) {
    if (cuboid.slice[cell] !== number || (cells.before[cell] === 0 && cells.after[cell] === 0)) continue;
    taken.push(cell);
    cells.before[cell] = 0;
    cells.after[cell] = 0;
  }
  return Int32Array.from(taken);
}

function namesOf(table: SpendTable, cuboid: Cuboid, number: number): SliceNames {
  const cell = cuboid.example[number] ?? 0;
  return Object.fromEntries(
    cuboid.dimensions.map((dimension) => [dimension, table.name(dimension, table.ids(dimension)[cell] ?? 0)]),
  );
}
