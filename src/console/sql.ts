/** `burnwatch sql`: one read-only statement to the server's ClickHouse. */

import { z } from "zod";
import { createApiClient } from "./api-client.ts";
import { apiOption, type CommandIo, defineCommand, type Output, UsageError } from "./command.ts";
import { renderTable, tableOptions } from "./table.ts";
import { trustLine } from "./trust-line.ts";

/** Every value a string, so that no number loses digits on its way through JSON. */
const tableFormat = "JSONCompactStrings";

const tableSchema = z.object({
  meta: z.array(z.object({ name: z.string(), type: z.string() })),
  data: z.array(z.array(z.string())),
});

const timeoutMs = 300_000;

/** A statement as the argument or on the standard input; a table, or any output format of ClickHouse. */
export const sql = defineCommand({
  name: "sql",
  positional: '["SELECT ..."]',
  summary: "Ask the ClickHouse of the server: one SELECT, SHOW, DESCRIBE or EXPLAIN.",
  about: "Without an argument the statement is read from the standard input.",
  options: {
    format: {
      type: "string",
      value: "FORMAT",
      help: "an output format of ClickHouse, e.g. CSVWithNames, Parquet (a table)",
    },
    json: { type: "boolean", help: "the same as --format JSON" },
    ...apiOption,
  },
  examples: [
    'burnwatch sql "SELECT model, sum(cost_usd) FROM usage GROUP BY model"',
    'burnwatch sql "SELECT * FROM usage LIMIT 1000" --format CSVWithNames > usage.csv',
    "burnwatch sql < report.sql",
  ],
  async run({ values, positionals }, io) {
    if (values.json === true && values.format !== undefined)
      throw new UsageError("--json and --format exclude each other");
    const query = (positionals[0] ?? (await readStatement(io))).trim();
    if (query === "") throw new UsageError("the statement is empty");
    const format = values.json === true ? "JSON" : values.format;
    const client = createApiClient({ api: values.api, env: io.env, signal: io.signal });
    const request = { method: "POST", path: "sql", body: { query, format: format ?? tableFormat }, timeoutMs } as const;
    if (format !== undefined) {
      await copy(await client.raw(request), io.stdout);
      return 0;
    }
    const { value, headers } = await client.answer(request, tableSchema);
    const { meta, data } = value;
    const columns = meta.map(({ name, type }) => ({
      title: name,
      align: isNumber(type) ? ("right" as const) : ("left" as const),
    }));
    if (data.length > 0) io.stdout.write(renderTable(columns, data, tableOptions(io.stdout, io.env)));
    io.stdout.write(
      `${data.length === 1 ? "1 row" : `${data.length.toLocaleString("en-US")} rows`} · ${trustLine(trustOf(headers))}\n`,
    );
    return 0;
  },
});

async function readStatement(io: CommandIo): Promise<string> {
  if (io.stdin.isTTY === true)
    throw new UsageError("no statement given, neither as the argument nor on the standard input");
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of io.stdin)
    text += typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}

function isNumber(type: string): boolean {
  return /^(Nullable\(|LowCardinality\()*(U?Int|Float|Decimal)/.test(type);
}

function trustOf(headers: Headers) {
  const number = (name: string) => {
    const text = headers.get(name) ?? "";
    const value = text === "" ? Number.NaN : Number(text);
    return Number.isFinite(value) ? value : null;
  };
  const missing = headers.get("x-burnwatch-missing-spans");
  return {
    completeness: number("x-burnwatch-completeness"),
    unpricedShare: number("x-burnwatch-unpriced-share"),
    lagSeconds: number("x-burnwatch-lag-seconds"),
    missingSpans: missing === null ? null : decodeURIComponent(missing),
  };
}

/** Bytes as they come: formats such as Parquet are no text. Waits where the reader is slow. */
async function copy(response: Response, output: Output): Promise<void> {
  for await (const chunk of response.body ?? []) {
    if (output.write(chunk) === false)
      await new Promise<void>((resolve) => output.once?.("drain", resolve) ?? resolve());
  }
}
