/** How much the money speaks for it that one slice of the calls moved apart from the rest. */

import { addPoint, type Moments, newMoments, unitWithout } from "./moments.ts";
import type { Cuboid } from "./slices.ts";

/** Nano-dollars by cell or by slice; what was before is scaled to the length of what is after. */
export interface Sums {
  readonly before: Float64Array;
  readonly after: Float64Array;
}

/** A cuboid with the sums of its slices. */
export interface View extends Sums {
  readonly cuboid: Cuboid;
}

/** The sums of a cuboid's slices. */
export function viewOf(cuboid: Cuboid, cells: Sums): View {
  const before = new Float64Array(cuboid.count);
  const after = new Float64Array(cuboid.count);
  for (let cell = 0; cell < cells.before.length; cell++) {
    const number = cuboid.slice[cell] ?? 0;
    before[number] = (before[number] ?? 0) + (cells.before[cell] ?? 0);
    after[number] = (after[number] ?? 0) + (cells.after[cell] ?? 0);
  }
  return { cuboid, before, after };
}

/** The sum of all. */
export function total(amounts: Float64Array): number {
  let sum = 0;
  for (const amount of amounts) sum += amount;
  return sum;
}

/** One slice against everything. */
export interface Slice {
  readonly was: number;
  readonly is: number;
}

/**
 * Twice the log likelihood ratio of "the slice moved apart from the rest" against "as the rest did", in nano-dollars as if
 * each were an event: the G-statistic of the table (slice, rest) x (before, after). 0 where the slice moved no further
 * than the rest in the direction of the change. The scaled period is weighed by what was really seen of it.
 */
export function gStatistic(
  { was, is }: Slice,
  all: Slice,
  { scale, rising }: { readonly scale: number; readonly rising: boolean },
): number {
  const rest = { was: all.was - was, is: all.is - is };
  const apart = is * rest.was - was * rest.is;
  if (rising ? apart <= 0 : apart >= 0) return 0;
  const seen = 1 / scale;
  const sum = all.is + all.was * seen;
  const term = (part: number, row: number, period: number) =>
    part > 0 ? part * Math.log((part * sum) / (row * period)) : 0;
  const slice = is + was * seen;
  const others = rest.is + rest.was * seen;
  const earlier = all.was * seen;
  const g =
    term(is, slice, all.is) +
    term(was * seen, slice, earlier) +
    term(rest.is, others, all.is) +
    term(rest.was * seen, others, earlier);
  return Math.max(0, 2 * g);
}

/** Moments over all slices of a finer division of a cuboid, and over those within each slice of the cuboid. */
interface Division {
  readonly all: Moments;
  readonly within: readonly Moments[];
}

const nothing = newMoments();

/** How unevenly money moves by itself, beside each slice of a cuboid and within it: seen in each finer division. */
export class Spread {
  readonly #divisions: readonly Division[];
  readonly #byUser: Division | undefined;
  readonly #scale: number;

  constructor(cuboid: Cuboid, views: readonly View[], cells: Sums, scale: number) {
    const finer = views.filter((view) => cuboid.dimensions.every((name) => view.cuboid.dimensions.includes(name)));
    this.#scale = scale;
    const byCell = divide(cuboid, cells, (cell) => cell);
    const divided = finer.map((view) => divide(cuboid, view, (slice) => view.cuboid.example[slice] ?? 0));
    this.#divisions = [...divided, byCell];
    const names = cuboid.dimensions.length + 1;
    const user = finer.findIndex(
      ({ cuboid: { dimensions } }) => dimensions.length === names && dimensions.includes("user"),
    );
    this.#byUser = cuboid.dimensions.includes("user") ? undefined : (divided[user] ?? byCell);
  }

  /** Nano-dollars that move together, as it shows in all that does not belong to the slice; in everything without one. */
  beside(number?: number): number {
    const own = ({ within }: Division) => (number === undefined ? nothing : (within[number] ?? nothing));
    return Math.max(1, ...this.#divisions.map((division) => unitWithout(division.all, own(division), this.#scale)));
  }

  /** The same, as it shows among the users of the slice, who come and go by themselves: large where they moved unlike each other. */
  within(number: number): number {
    return Math.max(1, unitWithout(this.#byUser?.within[number] ?? nothing, nothing, this.#scale));
  }
}

function divide(cuboid: Cuboid, sums: Sums, cellOf: (index: number) => number): Division {
  const all = newMoments();
  const within = Array.from({ length: cuboid.count }, newMoments);
  for (let index = 0; index < sums.before.length; index++) {
    const was = sums.before[index] ?? 0;
    const is = sums.after[index] ?? 0;
    const own = within[cuboid.slice[cellOf(index)] ?? 0];
    if (own !== undefined) addPoint(own, was, is);
    addPoint(all, was, is);
  }
  return { all, within };
}

/** How many times further a slice moved than the furthest of a cuboid's slices; their common ratio is no movement. */
export function leadOver(others: View, { was, is }: Slice): number {
  const ratio = total(others.before) > 0 ? total(others.after) / total(others.before) : 1;
  let furthest = 1;
  for (let number = 0; number < others.before.length; number++) {
    furthest = Math.max(furthest, Math.abs((others.after[number] ?? 0) - ratio * (others.before[number] ?? 0)));
  }
  return Math.abs(is - ratio * was) / furthest;
}
