/** `burnwatch cost`: who spent what, on what. */

import { z } from "zod";
import { displayUsd, formatUsd, parseUsd } from "../model/money.ts";
import { createApiClient } from "./api-client.ts";
import { apiOption, defineCommand, UsageError } from "./command.ts";
import { howToSendSome } from "./no-data.ts";
import { type Column, renderTable, tableOptions } from "./table.ts";
import { trustLine } from "./trust-line.ts";

const measures = [
  "calls",
  "input_tokens",
  "cache_read_tokens",
  "cache_write_tokens",
  "output_tokens",
  "reasoning_tokens",
  "cost_usd",
  "unpriced_calls",
] as const;

/** What a cost is made of, and how the columns of `--split` are called. */
const parts = [
  { name: "cost_input_usd", title: "input $" },
  { name: "cost_cache_read_usd", title: "cache read $" },
  { name: "cost_cache_write_usd", title: "cache write $" },
  { name: "cost_output_usd", title: "output $" },
  { name: "cost_reasoning_usd", title: "reasoning $" },
  { name: "cost_other_usd", title: "other $" },
] as const;

const rowSchema = z
  .object({
    calls: z.number(),
    input_tokens: z.number(),
    cache_read_tokens: z.number(),
    cache_write_tokens: z.number(),
    output_tokens: z.number(),
    reasoning_tokens: z.number(),
    cost_usd: z.string().nullable(),
    unpriced_calls: z.number(),
    cost_input_usd: z.string().nullish(),
    cost_cache_read_usd: z.string().nullish(),
    cost_cache_write_usd: z.string().nullish(),
    cost_output_usd: z.string().nullish(),
    cost_reasoning_usd: z.string().nullish(),
    cost_other_usd: z.string().nullish(),
  })
  .catchall(z.union([z.string(), z.number(), z.null()]));

const answerSchema = z.object({
  rows: z.array(rowSchema),
  completeness: z.number().nullable(),
  unpriced_share: z.number().nullish(),
  lag_seconds: z.number().nullable(),
  missing_spans: z.string().nullish(),
});

type Row = z.infer<typeof rowSchema>;

/** Attribution of spend by any dimensions. */
export const cost = defineCommand({
  name: "cost",
  summary: "Who spent what: calls, tokens and dollars by any dimension.",
  options: {
    by: { type: "string", value: "A,B", help: "dimensions: tenant, service, feature, model, user, run ... (model)" },
    since: { type: "string", value: "24h", help: "from so long ago, or an RFC 3339 time (24h)" },
    until: { type: "string", value: "TIME", help: "until so long ago, or an RFC 3339 time (now)" },
    where: {
      type: "string",
      multiple: true,
      value: "K=V",
      help: "only calls whose dimension has this value; repeatable",
    },
    limit: { type: "string", value: "N", help: "at most so many rows, the dearest first" },
    split: { type: "boolean", help: "what the cost is made of instead of tokens: input, cache, output, reasoning" },
    json: { type: "boolean", help: "the answer as JSON" },
    csv: { type: "boolean", help: "the rows as CSV" },
    ...apiOption,
  },
  examples: [
    "burnwatch cost --by tenant,model",
    "burnwatch cost --by feature --since 7d --where tenant=acme",
    "burnwatch cost --by model --split",
    "burnwatch cost --by run --since 1h --limit 10 --csv",
  ],
  async run({ values }, io) {
    const { by = "model", since = "24h", until, where = [], limit, split = false, json, csv } = values;
    for (const condition of where) {
      if (!/^[^=]+=/.test(condition)) throw new UsageError(`--where ${condition}: expected DIMENSION=VALUE`);
    }
    if (limit !== undefined && !/^[1-9]\d*$/.test(limit))
      throw new UsageError(`--limit ${limit}: expected a whole number above 0`);
    if (json === true && csv === true) throw new UsageError("--json and --csv exclude each other");
    const client = createApiClient({ api: values.api, env: io.env, signal: io.signal });
    // The parts are asked for where they are shown: without them an answer takes less time.
    const parted = split || json === true || csv === true ? undefined : "0";
    const request = { path: "cost", query: { by, since, until, where, limit, split: parted } };
    if (json === true) {
      io.stdout.write(`${JSON.stringify(await client.json(request, z.unknown()))}\n`);
      return 0;
    }
    const answer = await client.json(request, answerSchema);
    const dimensions = by.split(",").map((name) => name.trim());
    if (csv === true) {
      io.stdout.write(csvOf(dimensions, answer.rows));
      return 0;
    }
    if (answer.rows.length === 0) {
      io.stdout.write(`No calls since ${since}${where.length > 0 ? ` where ${where.join(" and ")}` : ""}.\n`);
      if (where.length === 0) io.stdout.write(howToSendSome);
    } else {
      const options = tableOptions(io.stdout, io.env);
      io.stdout.write(
        tableOf(dimensions, { rows: answer.rows, measures: split ? splitMeasures : tokenMeasures, options }),
      );
    }
    const {
      completeness,
      unpriced_share: unpricedShare = null,
      lag_seconds: lagSeconds,
      missing_spans: missingSpans,
    } = answer;
    io.stdout.write(`${trustLine({ completeness, unpricedShare, lagSeconds, missingSpans })}\n`);
    return 0;
  },
});

/** A column of the table: its title, and what it shows of a row. */
interface Measure {
  readonly title: string;
  readonly of: (row: Row) => string;
}

const tokenMeasures: readonly Measure[] = [
  { title: "input", of: (row) => count(row.input_tokens) },
  { title: "cached", of: (row) => count(row.cache_read_tokens) },
  { title: "output", of: (row) => count(row.output_tokens) },
  { title: "cost", of: (row) => dollars(row.cost_usd) },
];

const splitMeasures: readonly Measure[] = [
  { title: "cost", of: (row) => dollars(row.cost_usd) },
  ...parts.map(({ name, title }) => ({ title, of: (row: Row) => dollars(row[name]) })),
];

interface CostTable {
  readonly rows: readonly Row[];
  readonly measures: readonly Measure[];
  readonly options: ReturnType<typeof tableOptions>;
}

function tableOf(dimensions: readonly string[], { rows, measures, options }: CostTable): string {
  const sums = rows.length > 1 ? [sumOf(rows)] : [];
  const unpriced = rows.some((row) => row.unpriced_calls > 0);
  const shown: readonly Measure[] = [
    { title: "calls", of: (row) => count(row.calls) },
    ...measures,
    ...(unpriced ? [{ title: "unpriced", of: (row: Row) => count(row.unpriced_calls) }] : []),
  ];
  const columns: Column[] = [
    ...dimensions.map((title) => ({ title })),
    ...shown.map(({ title }) => ({ title, align: "right" as const })),
  ];
  const cells = [...rows, ...sums].map((row, index) => {
    const summed = index === rows.length;
    const names = dimensions.map((name, at) => (summed ? (at === 0 ? `sum of ${index}` : "") : shownName(row[name])));
    return [...names, ...shown.map(({ of }) => of(row))];
  });
  return renderTable(columns, cells, options);
}

/** The rows shown, added up: to the nano-dollar, and unknown only where every cost is. */
function sumOf(rows: readonly Row[]): Row {
  const add = (measure: Exclude<(typeof measures)[number], "cost_usd">) =>
    rows.reduce((sum, row) => sum + row[measure], 0);
  const addUsd = (name: "cost_usd" | (typeof parts)[number]["name"]) => {
    const known = rows.flatMap((row) => (row[name] == null ? [] : [parseUsd(row[name])]));
    return known.length === 0 ? null : formatUsd(known.reduce((sum, each) => sum + each, 0n));
  };
  return {
    calls: add("calls"),
    input_tokens: add("input_tokens"),
    cache_read_tokens: add("cache_read_tokens"),
    cache_write_tokens: add("cache_write_tokens"),
    output_tokens: add("output_tokens"),
    reasoning_tokens: add("reasoning_tokens"),
    cost_usd: addUsd("cost_usd"),
    unpriced_calls: add("unpriced_calls"),
    cost_input_usd: addUsd("cost_input_usd"),
    cost_cache_read_usd: addUsd("cost_cache_read_usd"),
    cost_cache_write_usd: addUsd("cost_cache_write_usd"),
    cost_output_usd: addUsd("cost_output_usd"),
    cost_reasoning_usd: addUsd("cost_reasoning_usd"),
    cost_other_usd: addUsd("cost_other_usd"),
  };
}

function csvOf(dimensions: readonly string[], rows: readonly Row[]): string {
  const columns = [...dimensions, ...measures, ...parts.map(({ name }) => name)];
  const lines = rows.map((row) => columns.map((column) => csvCell(row[column] ?? "")).join(","));
  return [columns.map(csvCell).join(","), ...lines, ""].join("\n");
}

function csvCell(value: string | number): string {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function shownName(value: string | number | null | undefined): string {
  return value === null || value === undefined || value === "" ? "(none)" : String(value);
}

function dollars(usd: string | null | undefined): string {
  return usd == null ? "unknown" : displayUsd(parseUsd(usd));
}

function count(value: number): string {
  return value.toLocaleString("en-US");
}
