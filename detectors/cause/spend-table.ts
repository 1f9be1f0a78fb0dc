/** Spend of two periods by tenant, feature, model, prompt version and user: what a change is explained from. */

import { type Amounts, addAmounts, rowLength } from "./amounts.ts";

/** Dimensions in which a cause is looked for; earlier ones are preferred where two name the same calls. */
export const dimensions = ["tenant", "feature", "model", "promptVersion", "user"] as const;

export type Dimension = (typeof dimensions)[number];

export type Period = "before" | "after";

/** Stands for the users of cells beyond the limit. */
export const otherUsers = "(other users)";

/** Cells beyond the limit for the coarser names: without user, with the tenant only, without any. */
const coarseCells = [128, 256, 257] as const;

/**
 * A cell per combination of names that occurs. About 230 bytes a cell and 10,000 cells by default: 2.3 MB. Beyond the
 * limit a new combination is counted under `otherUsers`, where these are too many under its tenant alone, and at last
 * under no name at all: sums stay whole, only their names get coarser. These take at most 257 cells beyond the limit.
 */
export class SpendTable {
  readonly #cellsMax: number;
  readonly #cells = new Map<string, number>();
  readonly #names: { readonly values: string[]; readonly ids: Map<string, number> }[] = dimensions.map(() => ({
    values: [],
    ids: new Map(),
  }));
  #ids: Int32Array[] = dimensions.map(() => new Int32Array(64));
  #rows = { before: new Float64Array(64 * rowLength), after: new Float64Array(64 * rowLength) };

  constructor(cellsMax = 10_000) {
    this.#cellsMax = cellsMax;
  }

  /** Adds calls of one combination of names; "" is a name like any other. */
  add(period: Period, names: Readonly<Record<Dimension, string>>, amounts: Amounts): void {
    // First the cell: making one may replace the rows.
    const cell = this.#cell(names);
    addAmounts(this.#rows[period], cell * rowLength, amounts);
  }

  get size(): number {
    return this.#cells.size;
  }

  /** Ids of each cell's name in a dimension; `name` says what they stand for. */
  ids(dimension: Dimension): Int32Array {
    return (this.#ids[dimensions.indexOf(dimension)] ?? new Int32Array()).subarray(0, this.size);
  }

  /** How many different names a dimension has. */
  nameCount(dimension: Dimension): number {
    return this.#names[dimensions.indexOf(dimension)]?.values.length ?? 0;
  }

  name(dimension: Dimension, id: number): string {
    return this.#names[dimensions.indexOf(dimension)]?.values[id] ?? "";
  }

  /** Rows of amounts, one a cell. */
  rows(period: Period): Float64Array {
    return this.#rows[period].subarray(0, this.size * rowLength);
  }

  /** The cell of these names, or of coarser ones where the table is full. */
  #cell(names: Readonly<Record<Dimension, string>>): number {
    const known = this.#cells.get(keyOf(names));
    if (known !== undefined) return known;
    if (this.size < this.#cellsMax) return this.#newCell(names);
    const blank = { tenant: names.tenant, feature: "", model: "", promptVersion: "", user: otherUsers };
    const coarser = [{ ...names, user: otherUsers }, blank, { ...blank, tenant: "" }];
    for (const [index, candidate] of coarser.entries()) {
      const coarse = this.#cells.get(keyOf(candidate));
      if (coarse !== undefined) return coarse;
      if (this.size < this.#cellsMax + (coarseCells[index] ?? 0)) return this.#newCell(candidate);
    }
    return 0;
  }

  #newCell(names: Readonly<Record<Dimension, string>>): number {
    const cell = this.size;
    if ((cell + 1) * rowLength > this.#rows.before.length) this.#grow();
    for (const [index, dimension] of dimensions.entries()) {
      const ids = this.#ids[index];
      if (ids !== undefined) ids[cell] = this.#intern(index, names[dimension]);
    }
    this.#cells.set(keyOf(names), cell);
    return cell;
  }

  #intern(index: number, name: string): number {
    const known = this.#names[index];
    if (known === undefined) return 0;
    const id = known.ids.get(name);
    if (id !== undefined) return id;
    known.ids.set(name, known.values.length);
    return known.values.push(name) - 1;
  }

  #grow(): void {
    const twice = (numbers: Float64Array) => {
      const larger = new Float64Array(numbers.length * 2);
      larger.set(numbers);
      return larger;
    };
    this.#rows = { before: twice(this.#rows.before), after: twice(this.#rows.after) };
    this.#ids = this.#ids.map((ids) => {
      const larger = new Int32Array(ids.length * 2);
      larger.set(ids);
      return larger;
    });
  }
}

function keyOf(names: Readonly<Record<Dimension, string>>): string {
  return `${names.tenant}\n${names.feature}\n${names.model}\n${names.promptVersion}\n${names.user}`;
}
