/** `burnwatch reprice`: corrects the prices of the past after a price change; first it shows what would change. */

import { createInterface } from "node:readline/promises";
import { Readable } from "node:stream";
import { z } from "zod";
import { displayUsd, parseUsd } from "../model/money.ts";
import { type ApiClient, createApiClient } from "./api-client.ts";
import { apiOption, type CommandIo, defineCommand, UsageError } from "./command.ts";
import { type Column, renderTable, tableOptions } from "./table.ts";

const differenceSchema = z.object({
  price_version: z.string(),
  calls: z.number(),
  rows: z.array(
    z.object({
      tenant: z.string(),
      provider: z.string(),
      model: z.string(),
      calls: z.number(),
      unpriced_before: z.number(),
      unpriced_after: z.number(),
      cost_before_usd: z.string(),
      cost_after_usd: z.string(),
    }),
  ),
});

const jobSchema = z.object({
  id: z.string(),
  finished: z.boolean(),
  progress: z.number(),
  calls: z.number(),
  cost_before_usd: z.string(),
  cost_after_usd: z.string(),
});

type Difference = z.infer<typeof differenceSchema>;

const columns: readonly Column[] = [
  { title: "tenant" },
  { title: "model" },
  { title: "calls", align: "right" },
  { title: "before", align: "right" },
  { title: "after", align: "right" },
  { title: "difference", align: "right" },
  { title: "newly priced", align: "right" },
];

/** Of the whole range at once: longer than other questions. */
const differenceTimeoutMs = 600_000;
const askEveryMs = 200;

/** Re-pricing of a range. */
export const reprice = defineCommand({
  name: "reprice",
  summary: "Correct the prices of past calls after a price change; shows the difference first.",
  about: `Every call of the range is priced with the lists as they are now, by what was valid at the time of the call. What
differs is corrected by signed records, so all sums follow; an audit row stands in the table reprices. It may be killed and
run again: the same total. Single calls are kept for store.raw_retention_days: sums of before are not changed.`,
  options: {
    since: { type: "string", value: "30d", help: "calls from so long ago, or an RFC 3339 time; needed" },
    until: { type: "string", value: "TIME", help: "calls until so long ago, or an RFC 3339 time (now)" },
    where: {
      type: "string",
      multiple: true,
      value: "K=V",
      help: "only calls whose dimension has this value; repeatable",
    },
    "dry-run": { type: "boolean", help: "show the difference and change nothing" },
    yes: { type: "boolean", help: "change it without asking" },
    json: { type: "boolean", help: "the difference, and the result, as JSON lines" },
    ...apiOption,
  },
  examples: [
    "burnwatch reprice --since 30d --dry-run",
    "burnwatch reprice --since 2026-10-01 --until 2026-11-01 --where tenant=acme",
    "burnwatch reprice --since 7d --where model=acme-finetune-7 --yes --json",
  ],
  async run({ values }, io) {
    const { since, until, where = [], json, yes } = values;
    const dryRun = values["dry-run"] === true;
    if (since === undefined) throw new UsageError("--since is needed: from when on, like --since 30d");
    if (dryRun && yes === true) throw new UsageError("--dry-run and --yes exclude each other");
    const client = createApiClient({ api: values.api, env: io.env, signal: io.signal });
    // The range is fixed once: what was shown is what is changed.
    const range = { since, until: until ?? new Date().toISOString(), where: conditions(where) };
    const difference = await client.json(
      { method: "POST", path: "reprices/difference", body: range, timeoutMs: differenceTimeoutMs },
      differenceSchema,
    );
    io.stdout.write(json === true ? `${JSON.stringify(difference)}\n` : shown(difference, io));
    if (dryRun || difference.rows.length === 0) return 0;
    if (yes !== true && !(await confirmed(io))) {
      io.stderr.write("nothing was changed; --yes changes it without asking\n");
      return 1;
    }
    const by = io.env["USER"] ?? "";
    const body = { ...range, price_version: difference.price_version, by };
    const job = await finished(client, await client.json({ method: "POST", path: "reprices", body }, jobSchema));
    io.stdout.write(
      json === true
        ? `${JSON.stringify(job)}\n`
        : `corrected ${job.calls.toLocaleString("en-US")} calls: ${usd(job.cost_before_usd)} -> ${usd(job.cost_after_usd)} (audit: ${job.id} in the table reprices)\n`,
    );
    return 0;
  },
});

function conditions(where: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    where.map((condition) => {
      const at = condition.indexOf("=");
      if (at < 1) throw new UsageError(`--where ${condition}: expected DIMENSION=VALUE`);
      return [condition.slice(0, at), condition.slice(at + 1)];
    }),
  );
}

async function finished(client: ApiClient, started: z.infer<typeof jobSchema>): Promise<z.infer<typeof jobSchema>> {
  for (let job = started; ; ) {
    if (job.finished) return job;
    await new Promise((resolve) => setTimeout(resolve, askEveryMs));
    job = await client.json({ path: `reprices/${job.id}` }, jobSchema);
  }
}

/** Only a person at a terminal is asked. */
async function confirmed(io: CommandIo): Promise<boolean> {
  if (io.stdin.isTTY !== true) return false;
  io.stdout.write("correct these calls? [y/N] ");
  const lines = createInterface({ input: Readable.from(io.stdin) });
  try {
    for await (const line of lines) return /^y(es)?$/i.test(line.trim());
    return false;
  } finally {
    lines.close();
  }
}

function shown({ rows, calls, price_version }: Difference, io: CommandIo): string {
  const head = `${calls.toLocaleString("en-US")} calls in the range, prices: own list ${price_version}\n`;
  if (rows.length === 0) return `${head}nothing differs: every call has the price that the lists have now\n`;
  const sum = (name: "cost_before_usd" | "cost_after_usd") =>
    rows.reduce((total, row) => total + parseUsd(row[name]), 0n);
  const count = (name: "calls" | "unpriced_before" | "unpriced_after") =>
    rows.reduce((total, row) => total + row[name], 0);
  const total = {
    tenant: `sum of ${rows.length}`,
    model: "",
    calls: count("calls"),
    before: sum("cost_before_usd"),
    after: sum("cost_after_usd"),
    newlyPriced: count("unpriced_before") - count("unpriced_after"),
  };
  const lines = rows.map((row) => ({
    tenant: row.tenant,
    model: row.model,
    calls: row.calls,
    before: parseUsd(row.cost_before_usd),
    after: parseUsd(row.cost_after_usd),
    newlyPriced: row.unpriced_before - row.unpriced_after,
  }));
  const cells = [...lines, ...(lines.length > 1 ? [total] : [])].map((line) => [
    line.tenant,
    line.model,
    line.calls.toLocaleString("en-US"),
    displayUsd(line.before),
    displayUsd(line.after),
    `${line.after >= line.before ? "+" : ""}${displayUsd(line.after - line.before)}`,
    line.newlyPriced.toLocaleString("en-US"),
  ]);
  return head + renderTable(columns, cells, tableOptions(io.stdout, io.env));
}

function usd(text: string): string {
  return displayUsd(parseUsd(text));
}
