/** What each stage of the pipeline costs, one after the other in this process, on the bodies that the load sends. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DetectionWorker } from "../../src/detection/detection-worker.ts";
import { judgeHere } from "../../src/detection/judge.ts";
import { keepsAttribute, keepsSpan } from "../../src/dialects/dialects.ts";
import { DiskSpace } from "../../src/event-log/disk-space.ts";
import { LmdbLog } from "../../src/event-log/lmdb-log.ts";
import { LmdbUsageLog } from "../../src/event-log/lmdb-usage-log.ts";
import { inflateBytes } from "../../src/http/inflate-body.ts";
import { Acceptor, appendsTo } from "../../src/ingest/accept.ts";
import { type DecodedExport, defaultDecodeLimits } from "../../src/ingest/decoded-export.ts";
import { type EncodedExport, encodeExport } from "../../src/ingest/encoded-export.ts";
import { FreshEntries } from "../../src/ingest/fresh-entries.ts";
import { decodeProtobufExport } from "../../src/ingest/otlp-protobuf.ts";
import { Resolver } from "../../src/ingest/resolver.ts";
import { decodeUsageEntry, type UsageEntry } from "../../src/ingest/usage-codec.ts";
import type { UsageRecord } from "../../src/model/usage-record.ts";
import { PriceBook } from "../../src/pricing/price-book.ts";
import { openEmbeddedStore } from "../../src/store/embedded.ts";
import type { Batch } from "../../src/store/store.ts";
import { encodeUsageRows } from "../../src/store/usage-row.ts";
import type { BenchOptions, Table } from "./bench.ts";
import { payloadBodies } from "./payload.ts";
import { median } from "./statistics.ts";

const bodiesPerRound = 200;
const spansPerBody = 500;
/** As the exporters of the load that the sum is held against. */
const exportersAtOnce = 10;
/** As the writer's. */
const rowsPerInsert = 20_000;
const freshEntriesMax = 512;
const insertStage = "insert: chdb, two rollups";
const filter = { keepsAttribute, keepsSpan };

/** Microseconds of CPU, all threads of the process, per span. */
type Costs = ReadonlyMap<string, number>;

export async function measureStages(options: BenchOptions, wholeServerUs: number | null): Promise<Table> {
  const rounds: Costs[] = [];
  // The first round warms up.
  for (let round = 0; round <= options.runs; round++) {
    options.progress(round === 0 ? "stages, warming up" : `stages, run ${round} of ${options.runs}`);
    const costs = await measureRound();
    if (round > 0) rounds.push(costs);
  }
  const rows = [...(rounds[0]?.keys() ?? [])].map((stage): [string, number] => [
    stage,
    median(rounds.map((costs) => costs.get(stage) ?? 0)),
  ]);
  const sum = rows.reduce((total, [, cost]) => total + cost, 0);
  return {
    title: `CPU per span by stage, each alone in one process, ${bodiesPerRound * spansPerBody} spans; medians of ${options.runs}`,
    columns: [{ title: "stage" }, { title: "us/span", digits: 2 }, { title: "of the sum, %", digits: 0 }],
    rows: [
      ...rows.map(([stage, cost]) => [stage, cost, (100 * cost) / sum]),
      ["sum of the stages", sum, 100],
      ["HTTP, GC under load, the rest", wholeServerUs === null ? null : wholeServerUs - sum, null],
      ["whole server, 10 exporters", wholeServerUs, null],
    ],
    notes: [
      "process.cpuUsage of all threads: of lmdb's commits and of the engine, merges during the inserts included. fsync on.",
      "The rest is the difference to the server of the table above: it runs the stages side by side, colder and with more garbage.",
    ],
  };
}

type Measured = <Result>(stage: string, work: () => Promise<Result> | Result) => Promise<Result>;

async function measureRound(): Promise<Costs> {
  const bodies = payloadBodies({ format: "protobuf", bodies: bodiesPerRound, spansPerBody });
  const directory = mkdtempSync(join(tmpdir(), "burnwatch-stages-"));
  const costs = new Map<string, number>();
  const measured: Measured = async (stage, work) => {
    const before = process.cpuUsage();
    const result = await work();
    const { user, system } = process.cpuUsage(before);
    costs.set(stage, (user + system) / (bodiesPerRound * spansPerBody));
    return result;
  };
  const logs = openLogs(directory);
  try {
    const inflated = await measured("inflate", () => inflate(bodies));
    const exports = await measured("decode", () =>
      inflated.map((body) => decodeProtobufExport(body, defaultDecodeLimits, filter)),
    );
    const encoded = await measured("encode", () => encode(exports));
    await measured("spans log: lmdb", () => accept(logs, encoded));
    await measured("resolve: log codec, dialect, price, identity, lmdb", () => resolve(logs));
    const records = entriesOf(logs).flatMap(({ entry }) => entry.records);
    if (records.length !== bodiesPerRound * spansPerBody) throw new Error(`resolved ${records.length} records`);
    const batches = batchesOf(records);
    await measured("row encode", async () => {
      for (const { token, records } of batches) await encodeUsageRows(token, records);
    });
    await measureInserts(directory, batches, measured);
    // An insert encodes its rows: what that costs alone is taken out.
    costs.set(insertStage, (costs.get(insertStage) ?? 0) - (costs.get("row encode") ?? 0));
    await measured("detect", () => detect(logs));
  } finally {
    await logs.spans.close();
    await logs.usage.close();
    rmSync(directory, { recursive: true, force: true });
  }
  return costs;
}

export type Logs = ReturnType<typeof openLogs>;

/** A day, and more spans than any bench sends. */
export const identities = { horizonMs: 86_400_000, entriesMax: 50_000_000 };

/** The two logs of a server, empty, under a directory. */
export function openLogs(directory: string) {
  return {
    spans: new LmdbLog({ directory: join(directory, "spans") }),
    usage: new LmdbUsageLog({ directory: join(directory, "usage"), identities }),
    freshUsage: new FreshEntries<UsageEntry>(freshEntriesMax),
  };
}

function inflate(bodies: readonly Buffer[]): Buffer[] {
  return bodies.map((body) => inflateBytes(body, "gzip", defaultDecodeLimits.inflatedBytesMax));
}

/** As they go into the spans log. */
export function encode(exports: readonly DecodedExport[]): EncodedExport[] {
  return exports.map((one) => encodeExport(one, { arrivedAtMs: Date.now(), oldestMs: 90 * 86_400_000 }));
}

/** Puts exports into the spans log, some at once. */
export async function accept({ spans }: Logs, exports: readonly EncodedExport[]): Promise<void> {
  const space = new DiskSpace({ directory: tmpdir(), freeBytesMin: 0 });
  const acceptor = new Acceptor({ append: appendsTo(spans), space, backlogSpansMax: Number.MAX_SAFE_INTEGER });
  let next = 0;
  const exporter = async () => {
    for (let one = exports[next++]; one !== undefined; one = exports[next++]) {
      const outcome = await acceptor.accept(one);
      if (outcome.kind !== "accepted") throw new Error(`a request was ${outcome.kind}`);
    }
  };
  await Promise.all(Array.from({ length: exportersAtOnce }, exporter));
}

/** Runs a resolver until it has read all of the spans log. */
export async function resolve({ spans, usage, freshUsage }: Logs): Promise<void> {
  const observe = () => {};
  const prices = new PriceBook();
  const findStored = async () => new Map<string, UsageRecord>();
  const resolver = new Resolver({ spans, usage, freshUsage, prices, findStored, now: Date.now, observe });
  resolver.start();
  await until(() => usage.inputOffset() >= spans.lastOffset());
  await resolver.stop();
}

function entriesOf({ usage, freshUsage }: Logs) {
  return usage.entries.peek(0, freshEntriesMax).map(({ offset, payload }) => ({
    offset,
    entry: freshUsage.get(offset) ?? decodeUsageEntry(payload),
  }));
}

function batchesOf(records: readonly UsageRecord[]): Batch[] {
  const count = Math.ceil(records.length / rowsPerInsert);
  return Array.from({ length: count }, (_, index) => ({
    token: `bench-${index}`,
    records: records.slice(index * rowsPerInsert, (index + 1) * rowsPerInsert),
  }));
}

async function measureInserts(directory: string, batches: readonly Batch[], measured: Measured): Promise<void> {
  const store = await openEmbeddedStore({ directory: join(directory, "clickhouse") });
  try {
    await store.migrate();
    await measured(insertStage, async () => {
      for (const batch of batches) await store.insert(batch);
    });
  } finally {
    await store.close();
  }
}

async function detect({ usage }: Logs): Promise<void> {
  const detection = new DetectionWorker({
    usage,
    judge: judgeHere({ choices: {}, seriesMax: 100_000 }, (_, payload) => decodeUsageEntry(payload)),
    saveEveryMs: 10_000,
    now: Date.now,
    report: async () => {},
  });
  detection.start();
  await until(() => detection.offset() >= usage.entries.lastOffset());
  await detection.stop();
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 5));
}
