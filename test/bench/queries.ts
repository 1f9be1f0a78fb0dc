/** How long the questions of attribution take, and what a record takes on disk. */

import { type CostRequest, costFrom } from "../../src/query/cost.ts";
import type { Source } from "../../src/query/time-segments.ts";
import type { Store } from "../../src/store/store.ts";
import type { Bench, Cell, Table } from "./bench.ts";
import { type Dataset, dataset, datasetDays, datasetTenants, openDataset } from "./dataset.ts";
import { percentile } from "./statistics.ts";

const repetitions = 20;
const hourMs = 3_600_000;

interface Question {
  readonly name: string;
  readonly request: Pick<CostRequest, "by" | "where" | "limit">;
  readonly hours: number;
  /** The coarsest rollup that has what is asked. */
  readonly rollup: Source;
}

const questions: readonly Question[] = [
  { name: "top tenants, 24 h", request: { by: ["tenant"], limit: 20 }, hours: 24, rollup: "days" },
  {
    name: "feature x model x hour, 24 h",
    request: { by: ["feature", "model", "hour"], limit: 10_000 },
    hours: 24,
    rollup: "slots",
  },
  {
    name: "one tenant by feature, 30 d",
    request: { by: ["feature"], where: { tenant: "tenant-3" } },
    hours: 24 * datasetDays,
    rollup: "days",
  },
  { name: "top tenants, 30 d", request: { by: ["tenant"], limit: 20 }, hours: 24 * datasetDays, rollup: "days" },
];

export const queries: Bench = {
  name: "queries",
  summary: "attribution questions from rollup and from raw; bytes a record on disk",
  async run(options) {
    const made = await dataset(options);
    const store = await openDataset(made);
    try {
      await store.migrate();
      const rows: Cell[][] = [];
      for (const question of questions) {
        options.progress(question.name);
        for (const split of [false, true]) rows.push(await measure(store, made, { ...question, split }));
      }
      return [timesTable(made, rows), await sizeTable(store, made)];
    } finally {
      await store.close();
    }
  },
};

/** @param question with or without what each cost is made of, which the console asks for only where it shows it. */
async function measure(
  store: Store,
  { endMs }: Dataset,
  question: Question & { readonly split: boolean },
): Promise<Cell[]> {
  const { split } = question;
  const request = { ...question.request, split, sinceMs: endMs - question.hours * hourMs, untilMs: endMs };
  const rollup = await time(store, request, question.rollup);
  const raw = await time(store, request, "records");
  if (rollup.answer !== raw.answer) throw new Error(`${question.name}: rollup and raw records answer differently`);
  return [
    split ? `${question.name}, split` : question.name,
    rollup.rows,
    ...[rollup, raw].flatMap(({ ms }) => [percentile(ms, 0.5), percentile(ms, 0.95)]),
  ];
}

async function time(store: Store, request: CostRequest, coarsest: Source) {
  // The first one reads into the page cache.
  const rows = await costFrom(store, request, coarsest);
  const ms: number[] = [];
  for (let i = 0; i < repetitions; i++) {
    const startedMs = performance.now();
    await costFrom(store, request, coarsest);
    ms.push(performance.now() - startedMs);
  }
  return { ms, rows: rows.length, answer: JSON.stringify(rows) };
}

function timesTable({ records }: Dataset, rows: readonly Cell[][]): Table {
  return {
    title: `questions over ${records} records of ${datasetDays} days, ${datasetTenants} tenants; ms, ${repetitions} runs each`,
    columns: [
      { title: "question" },
      { title: "groups", digits: 0 },
      { title: "rollup p50", digits: 1 },
      { title: "rollup p95", digits: 1 },
      { title: "raw p50", digits: 1 },
      { title: "raw p95", digits: 1 },
    ],
    rows,
    notes: [
      "Through src/query/cost.ts in this process, one at a time, page cache warm, nothing else writing. rollup: days and 15-minute slots, with raw records at the edges of the range.",
      "Both ways give the same answer, which is checked. Ranges end at the last record, which is not at a whole slot.",
    ],
  };
}

interface TableSize {
  readonly table: string;
  readonly rows: string;
  readonly parts: string;
  readonly bytes: string;
}

async function sizeTable(store: Store, { records }: Dataset): Promise<Table> {
  const sizes = await store.query<TableSize>(
    `SELECT table, sum(rows) AS rows, count() AS parts, sum(bytes_on_disk) AS bytes
     FROM system.parts WHERE active AND database = currentDatabase() AND table LIKE 'usage%' GROUP BY table ORDER BY table`,
  );
  const bytes = sizes.reduce((sum, size) => sum + Number(size.bytes), 0);
  return {
    title: `on disk, ${records} records`,
    columns: [
      { title: "table" },
      { title: "rows", digits: 0 },
      { title: "parts", digits: 0 },
      { title: "MB", digits: 1 },
      { title: "bytes/record", digits: 1 },
    ],
    rows: [
      ...sizes.map((size): Cell[] => sizeRow(size.table, Number(size.rows), Number(size.parts), Number(size.bytes))),
      ["all", null, null, bytes / 1e6, bytes / records],
    ],
    notes: [
      "Written by Store.insert in batches of 20,000 in the order of time (src/store/sample-records.ts), then left until no merge runs; not optimised by hand. bytes/record: per record of the base, in every row.",
    ],
  };

  function sizeRow(table: string, rows: number, parts: number, size: number): Cell[] {
    return [table, rows, parts, size / 1e6, size / records];
  }
}
