/** Tables as Markdown, which reads well in a terminal too. */

import type { Cell, Column, Table } from "../bench/bench.ts";

/** A table with its title above and its notes below. */
export function markdownTable({ title, columns, rows, notes }: Table): string {
  const head = columns.map((column) => column.title);
  const body = rows.map((row) => row.map((cell, index) => shown(cell, columns[index])));
  const widths = head.map((name, index) => Math.max(3, name.length, ...body.map((row) => (row[index] ?? "").length)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, index) => (isNumeric(columns[index]) ? cell.padStart(widths[index] ?? 0) : cell.padEnd(widths[index] ?? 0))).join(" | ")} |`;
  const rule = `| ${widths.map((width, index) => (isNumeric(columns[index]) ? `${"-".repeat(width - 1)}:` : "-".repeat(width))).join(" | ")} |`;
  return [`**${title}**`, "", line(head), rule, ...body.map(line), "", ...notes, ""].join("\n");
}

function shown(cell: Cell, column: Column | undefined): string {
  if (cell === null || Number.isNaN(cell)) return "-";
  if (typeof cell === "string") return cell;
  const digits = column?.digits ?? 0;
  return cell.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function isNumeric(column: Column | undefined): boolean {
  return column?.digits !== undefined;
}
