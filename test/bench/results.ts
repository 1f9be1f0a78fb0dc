/** The results of the last run of each bench, kept so that the next run can say what changed. */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BenchResult, Cell, Table } from "./bench.ts";

/** Ignored by git. */
export const benchDirectory = fileURLToPath(new URL("../../.burnwatch/bench", import.meta.url));

export function previousResult(name: string): BenchResult | undefined {
  try {
    return JSON.parse(readFileSync(fileOf(name), "utf8")) as BenchResult;
  } catch {
    // The first run, or a file that an interrupted one left half written.
    return undefined;
  }
}

export function keepResult(result: BenchResult): void {
  mkdirSync(benchDirectory, { recursive: true });
  writeFileSync(fileOf(result.name), JSON.stringify(result));
}

/** New over old for every number of a row that the older tables have too: same table, same texts, same column. */
export function ratiosToPrevious(table: Table, row: readonly Cell[], older: readonly Table[]): (number | null)[] {
  const same = older.find(({ title }) => title === table.title);
  const oldRow = same?.rows.find((candidate) => textsOf(candidate) === textsOf(row));
  return table.columns.map(({ title }, index) => {
    const now = row[index];
    const before = oldRow?.[same?.columns.findIndex((column) => column.title === title) ?? -1];
    return typeof now === "number" && typeof before === "number" && before !== 0 ? now / before : null;
  });
}

function textsOf(row: readonly Cell[]): string {
  return row.filter((cell) => typeof cell === "string").join("\n");
}

function fileOf(name: string): string {
  return join(benchDirectory, `${name}.json`);
}
