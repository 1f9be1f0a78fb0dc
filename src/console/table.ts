/** A plain table that fits the terminal. */

export interface Column {
  readonly title: string;
  readonly align?: "left" | "right";
}

export interface TableOptions {
  /** Columns of the terminal; undefined where the output is no terminal, and nothing is cut. */
  readonly width: number | undefined;
  /** Whether the header may be bold. */
  readonly colour: boolean;
}

const gap = "  ";
const columnWidthLeast = 6;

/** Aligned columns under an underlined header, numbers (align right) to the right, texts cut with … where they do not fit. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  options: TableOptions,
): string {
  const cells = rows.map((row) => columns.map((_, index) => plainText(row[index] ?? "")));
  const natural = columns.map((column, index) =>
    cells.reduce((widest, row) => Math.max(widest, displayWidth(row[index] ?? "")), displayWidth(column.title)),
  );
  const widths = options.width === undefined ? natural : fitWidths(natural, { columns, width: options.width });
  const line = (row: readonly string[]) =>
    row
      .map((cell, index) => pad(cell, widths[index] ?? 0, columns[index]?.align ?? "left"))
      .join(gap)
      .trimEnd();
  const rule = widths.map((width) => "─".repeat(width)).join(gap);
  // Where even the narrowest columns are too many, whole lines are cut.
  const [header = "", ...rest] = [line(columns.map((column) => column.title)), rule, ...cells.map(line)].map((text) =>
    options.width === undefined ? text : cut(text, options.width),
  );
  return `${[options.colour ? `\u001b[1m${header}\u001b[22m` : header, ...rest].join("\n")}\n`;
}

/** How a table may be drawn on a stream. */
export function tableOptions(
  stream: { readonly isTTY?: boolean; readonly columns?: number },
  env: Readonly<Record<string, string | undefined>>,
): TableOptions {
  const terminal = stream.isTTY === true;
  const colour = terminal && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";
  return { width: terminal ? (stream.columns ?? 80) : undefined, colour };
}

/** Text of others on one line and without control characters: a tenant's name must not move somebody's cursor. */
export function plainText(text: string): string {
  return text.replaceAll(/[\t\r\n]+/g, " ").replaceAll(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, "\ufffd");
}

/** Cut to a width, with … as the last character where something is missing. */
export function cut(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let kept = "";
  let used = 0;
  for (const { segment } of segmenter.segment(text)) {
    used += segmentWidth(segment);
    if (used > width - 1) break;
    kept += segment;
  }
  return `${kept}…`;
}

const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });
const wide =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\uff01-\uff60]/u;

function segmentWidth(segment: string): number {
  return wide.test(segment) ? 2 : 1;
}

function displayWidth(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  for (const { segment } of segmenter.segment(text)) width += segmentWidth(segment);
  return width;
}

/** Takes from the widest text column again and again until all fit; numbers are only cut when no text is left to cut. */
function fitWidths(
  natural: readonly number[],
  room: { readonly columns: readonly Column[]; readonly width: number },
): number[] {
  const widths = [...natural];
  let excess = widths.reduce((sum, width) => sum + width, gap.length * (widths.length - 1)) - room.width;
  const cuttable = widths.map((_, index) => index).filter((index) => room.columns[index]?.align !== "right");
  while (excess > 0) {
    const widest = cuttable.reduce<number | undefined>(
      (best, index) => (best === undefined || (widths[index] ?? 0) > (widths[best] ?? 0) ? index : best),
      undefined,
    );
    if (widest === undefined || (widths[widest] ?? 0) <= columnWidthLeast) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
    excess--;
  }
  return widths;
}

function pad(text: string, width: number, align: "left" | "right"): string {
  const shown = cut(text, width);
  const space = " ".repeat(Math.max(0, width - displayWidth(shown)));
  return align === "right" ? space + shown : shown + space;
}
