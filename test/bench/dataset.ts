/**
 * A data directory with a month of records, written through the store's own insert path: batches of the writer's size,
 * in the order of time. It is kept between runs and made anew when the schema or the number of records changes.
 */

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { UsageRecord } from "../../src/model/usage-record.ts";
import { openEmbeddedStore } from "../../src/store/embedded.ts";
import { sampleRecords } from "../../src/store/sample-records.ts";
import { createRollup, createRollupFill, createUsageRecords, rollup1d, rollup15m } from "../../src/store/schema.ts";
import type { Store } from "../../src/store/store.ts";
import type { BenchOptions } from "./bench.ts";
import { benchDirectory } from "./results.ts";

export interface Dataset {
  /** What `burnwatch serve --data` takes. */
  readonly directory: string;
  readonly records: number;
  /** Unix milliseconds of the last record; the first is `datasetDays` before. */
  readonly endMs: number;
}

interface Manifest extends Dataset {
  readonly schema: string;
}

export const datasetDays = 30;
export const datasetTenants = 200;
const dayMs = 86_400_000;
const batchRecords = 20_000;
/** Older ones would leave the retention of raw records. */
const keptDays = 30;
const mergesWithinMs = 120_000;

/** The store of the dataset's directory, which a server would open. */
export function openDataset({ directory }: Dataset): Promise<Store> {
  return openEmbeddedStore({ directory: join(directory, "clickhouse") });
}

export async function dataset({ records, progress }: BenchOptions): Promise<Dataset> {
  const directory = join(benchDirectory, `data-${records}`);
  const manifestFile = join(directory, "dataset.json");
  if (existsSync(manifestFile)) {
    const known = JSON.parse(readFileSync(manifestFile, "utf8")) as Manifest;
    if (known.schema === schemaHash() && Date.now() - known.endMs < keptDays * dayMs) return known;
  }
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const made: Manifest = { directory, records, endMs: Date.now(), schema: schemaHash() };
  await fill(made, progress);
  // Last, so that an interrupted run starts again.
  writeFileSync(manifestFile, JSON.stringify(made));
  return made;
}

async function fill(made: Manifest, progress: BenchOptions["progress"]): Promise<void> {
  const store = await openDataset(made);
  try {
    await store.migrate();
    const spanMs = datasetDays * dayMs;
    const count = made.records;
    let batch: UsageRecord[] = [];
    let stored = 0;
    const flush = async () => {
      await store.insert({ token: `bench-${stored}`, records: batch });
      stored += batch.length;
      batch = [];
      if (stored % 500_000 === 0) progress(`${stored} of ${count} records stored`);
    };
    for (const record of sampleRecords({ count, startMs: made.endMs - spanMs, spanMs, tenants: datasetTenants })) {
      batch.push(record);
      if (batch.length === batchRecords) await flush();
    }
    if (batch.length > 0) await flush();
    progress("waiting for the engine's merges");
    await untilMerged(store);
  } finally {
    await store.close();
  }
}

/** Merges begin at random moments: none running for two seconds is taken for the end. */
async function untilMerged(store: Store): Promise<void> {
  const deadline = Date.now() + mergesWithinMs;
  for (let quiet = 0; quiet < 20 && Date.now() < deadline; ) {
    const [row] = await store.query<{ merges: string }>("SELECT count() AS merges FROM system.merges");
    quiet = Number(row?.merges) === 0 ? quiet + 1 : 0;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function schemaHash(): string {
  const retention = { rawRetentionDays: 90, rollupRetentionMonths: 13 };
  const statements = [
    createUsageRecords(retention),
    ...[rollup15m, rollup1d].flatMap((rollup) => [createRollup(rollup, retention), createRollupFill(rollup)]),
  ];
  return createHash("sha256").update(statements.join("\n")).digest("hex");
}
