/** All conjunctions of up to three names under which a table's cells fall: which cells belong to which. */

import { type Dimension, dimensions, type SpendTable } from "./spend-table.ts";

/** The conjunctions over one set of dimensions: every cell falls under exactly one of them. */
export interface Cuboid {
  readonly dimensions: readonly Dimension[];
  /** Number of the conjunction that each cell falls under. */
  readonly slice: Int32Array;
  /** How many conjunctions there are. */
  readonly count: number;
  /** A cell of each conjunction, from which its names can be read. */
  readonly example: Int32Array;
}

const namesMax = 3;

/** Cuboids of one, two and three dimensions, in that order. Dimensions with a single name divide nothing: left out. */
export function cuboidsOf(table: SpendTable): readonly Cuboid[] {
  const dividing = dimensions.filter((dimension) => table.nameCount(dimension) > 1);
  const byDimension = new Map<Dimension, Cuboid>(dividing.map((dimension) => [dimension, single(table, dimension)]));
  let last = [...byDimension.values()];
  const all = [...last];
  for (let names = 2; names <= namesMax; names++) {
    last = last.flatMap((cuboid) =>
      dividing
        .slice(dividing.indexOf(cuboid.dimensions.at(-1) ?? "tenant") + 1)
        .map((dimension) => crossed(cuboid, byDimension.get(dimension) ?? cuboid)),
    );
    all.push(...last);
  }
  return all;
}

function single(table: SpendTable, dimension: Dimension): Cuboid {
  const slice = table.ids(dimension);
  const count = table.nameCount(dimension);
  return { dimensions: [dimension], slice, count, example: examples(slice, count) };
}

function crossed(left: Cuboid, right: Cuboid): Cuboid {
  const slice = new Int32Array(left.slice.length);
  const numbers = new Map<number, number>();
  for (let cell = 0; cell < slice.length; cell++) {
    const key = (left.slice[cell] ?? 0) * right.count + (right.slice[cell] ?? 0);
    let number = numbers.get(key);
    if (number === undefined) {
      number = numbers.size;
      numbers.set(key, number);
    }
    slice[cell] = number;
  }
  const dimensionsOfBoth = [...left.dimensions, ...right.dimensions];
  return { dimensions: dimensionsOfBoth, slice, count: numbers.size, example: examples(slice, numbers.size) };
}

function examples(slice: Int32Array, count: number): Int32Array {
  const example = new Int32Array(count);
  for (let cell = slice.length - 1; cell >= 0; cell--) example[slice[cell] ?? 0] = cell;
  return example;
}
