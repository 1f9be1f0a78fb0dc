/** Results as text that fits a terminal of 100 columns. */

import { renderTable, tableOptions } from "../../src/console/table.ts";
import type { BenchResult, Cell, Column, Table } from "./bench.ts";
import { ratiosToPrevious } from "./results.ts";

const widthMax = 100;

export function printResult(result: BenchResult, previous: BenchResult | undefined): string {
  const older = previous?.tables ?? [];
  const tables = result.tables.map((table) => printTable(table, older));
  const compared =
    previous === undefined ? "no previous run to compare with" : `x: ratio to the previous run, of ${previous.at}`;
  return `${result.name}\n\n${tables.join("\n")}\n${wrap(`${result.machine}; load average before the run ${result.loadBefore.toFixed(1)}; ${result.at}; ${compared}`, "")}`;
}

function printTable(table: Table, older: readonly Table[]): string {
  const rows = table.rows.flatMap((row) => {
    const shown = row.map((cell, index) => format(cell, table.columns[index]));
    const ratios = ratiosToPrevious(table, row, older);
    if (ratios.every((ratio) => ratio === null)) return [shown];
    return [shown, ratios.map((ratio) => (ratio === null ? "" : `x${ratio.toFixed(2)}`))];
  });
  const columns = table.columns.map(({ title, digits }) => ({
    title,
    align: digits === undefined ? ("left" as const) : ("right" as const),
  }));
  const { colour } = tableOptions(process.stdout, process.env);
  const notes = table.notes.map((note) => wrap(note, "- ")).join("");
  return `${wrap(table.title, "")}${renderTable(columns, rows, { width: widthMax, colour })}${notes}`;
}

function format(cell: Cell, column: Column | undefined): string {
  if (cell === null || Number.isNaN(cell)) return "-";
  if (typeof cell === "string") return cell;
  const digits = column?.digits ?? 0;
  return cell.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** Lines of at most 100 columns, the first with a mark and the others indented by as much. */
function wrap(text: string, mark: string): string {
  const lines: string[] = [];
  let line = mark;
  for (const word of text.split(" ")) {
    if (line.length + word.length + 1 > widthMax) {
      lines.push(line.trimEnd());
      line = " ".repeat(mark.length);
    }
    line += `${word} `;
  }
  return `${[...lines, line.trimEnd()].join("\n")}\n`;
}
