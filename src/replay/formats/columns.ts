/** Columns by name: checks a header once, then reads cells and says which is broken and why. */

import { nearestName } from "../../model/nearest-name.ts";
import { ReplayError } from "../replay-error.ts";
import { BadCell } from "./trace-format.ts";

/** Repeated texts (tenants, models ...) are kept once: a piece of a string holds the whole block that it was cut from. */
const internedMax = 10_000;

export class Columns {
  readonly #indexes: ReadonlyMap<string, number>;
  readonly #width: number;
  readonly #interned = new Map<string, string>();

  /** @throws ReplayError naming a column that is unknown, missing or there twice. */
  constructor(
    header: readonly string[],
    names: { readonly format: string; readonly known: readonly string[]; readonly required: readonly string[] },
  ) {
    const indexes = new Map<string, number>();
    for (const [index, text] of header.entries()) {
      const name = text.trim();
      if (!names.known.includes(name)) throw unknownColumn(name, names);
      if (indexes.has(name)) throw new ReplayError(`the column "${name}" is there twice`);
      indexes.set(name, index);
    }
    const missing = names.required.filter((name) => !indexes.has(name));
    if (missing.length > 0) {
      throw new ReplayError(`the header lacks ${missing.join(", ")}`, {
        hint: `it has: ${header.map(shown).join(", ")}`,
      });
    }
    this.#indexes = indexes;
    this.#width = header.length;
  }

  has(name: string): boolean {
    return this.#indexes.has(name);
  }

  /** A row with more or fewer cells than the header cannot be told apart from one whose cells have slipped. */
  checkWidth(fields: readonly string[]): void {
    if (fields.length === this.#width) return;
    throw new BadCell("", `it has ${fields.length} fields where the header has ${this.#width}`);
  }

  /** The cell's text without surrounding blanks, "" where the column is missing. */
  text(fields: readonly string[], name: string): string {
    const index = this.#indexes.get(name);
    const text = index === undefined ? "" : (fields[index] ?? "").trim();
    const interned = this.#interned.get(text);
    if (interned !== undefined) return interned;
    if (this.#interned.size < internedMax) this.#interned.set(text, text);
    return text;
  }

  /** A count of tokens; undefined where the cell is empty. */
  count(fields: readonly string[], name: string): number | undefined {
    const text = this.text(fields, name);
    if (text === "") return undefined;
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!Number.isSafeInteger(value))
      throw new BadCell(name, `expected a whole number of tokens, found ${shown(text)}`);
    return value;
  }

  /** As `count`, for a cell that must not be empty. */
  requiredCount(fields: readonly string[], name: string): number {
    const value = this.count(fields, name);
    if (value === undefined) throw new BadCell(name, "is empty");
    return value;
  }

  /** A duration or offset in whole microseconds from a non-negative decimal in the stated unit; undefined where the cell is empty. */
  microseconds(fields: readonly string[], name: string, unitUs: number): number | undefined {
    const text = this.text(fields, name);
    if (text === "") return undefined;
    const value = /^\d+(\.\d+)?$/.test(text) ? Math.round(Number(text) * unitUs) : Number.NaN;
    if (!Number.isSafeInteger(value)) throw new BadCell(name, `expected a number, found ${shown(text)}`);
    return value;
  }
}

/** A cell as an error message shows it: one line, quoted, not too long. */
export function shown(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 39)}…` : text);
}

function unknownColumn(
  name: string,
  names: { readonly format: string; readonly known: readonly string[] },
): ReplayError {
  const nearest = nearestName(name, names.known);
  const suggestion = nearest === undefined ? "" : `; did you mean "${nearest}"?`;
  return new ReplayError(`unknown column ${shown(name)}${suggestion}`, {
    hint: `columns of the ${names.format} format: ${names.known.join(", ")}`,
  });
}
