/** The index that recognises a repeated span: what a record costs in it, and on disk, as it grows. */

import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LmdbUsageLog } from "../../src/event-log/lmdb-usage-log.ts";
import { type Identity, type SeenSpan, spanBits } from "../../src/event-log/usage-log.ts";
import type { Bench, Cell } from "./bench.ts";

const sizes = [1_000_000, 5_000_000];
/** As the resolver's steps. */
const stepRecords = 8192;
/** The last steps before each size are what a record costs at that size. */
const stepsCounted = 12;
/** Looked up again, from all over the index. */
const knownPerStep = 64;
const lookups = 100_000;
const secondsMax = 120;

/** Of one step. */
interface Cost {
  readonly cpuUs: number;
  readonly wallUs: number;
}

export const identity: Bench = {
  name: "identity",
  summary: "the index of seen spans: CPU a record and bytes on disk at 1M and 5M entries",
  async run({ progress }) {
    const directory = mkdtempSync(join(tmpdir(), "burnwatch-identity-"));
    const usage = new LmdbUsageLog({ directory, identities: { horizonMs: 86_400_000, entriesMax: 50_000_000 } });
    const rows: Cell[][] = [];
    const known: Identity[] = [];
    const costs: Cost[] = [];
    const deadlineMs = Date.now() + secondsMax * 1000;
    let entries = 0;
    try {
      for (const size of sizes) {
        progress(`up to ${size} entries`);
        while (entries < size && Date.now() < deadlineMs) {
          const added = Array.from({ length: stepRecords }, (_, index) => identityOf(entries + index));
          costs.push(await step(usage, added));
          known.push(...added.slice(0, knownPerStep));
          entries += added.length;
        }
        rows.push(rowOf({ entries, costs, hitUs: measureHits(usage, known), directory }));
        if (entries < size) break;
      }
    } finally {
      await usage.close();
      rmSync(directory, { recursive: true, force: true });
    }
    return [
      {
        title: "index of seen spans: random ids, one span a trace, 50 tenants, nothing but new records",
        columns,
        rows,
        notes,
      },
    ];
  },
};

const columns = [
  { title: "entries" },
  { title: "CPU us/record", digits: 2 },
  { title: "wall us/record", digits: 2 },
  { title: "repeat found, us", digits: 2 },
  { title: "bytes/record on disk", digits: 1 },
  { title: "file MB", digits: 0 },
];

const notes = [
  `CPU and wall: look-up and insert in steps of ${stepRecords}, each one transaction, fsync on, over the last ${stepsCounted} before the size; CPU is of all threads.`,
  "On disk: blocks of the file that are in use, pages of past transactions included. The page cache holds all of it.",
  `Stops after ${secondsMax} s, wherever it is then on the way to ${sizes.at(-1)} entries.`,
];

async function step(usage: LmdbUsageLog, identities: readonly Identity[]): Promise<Cost> {
  const cpu = process.cpuUsage();
  const startedMs = performance.now();
  const traces = new Map(identities.map((one) => [usage.memory.trace(one), [spanOf(one)]]));
  for (const [trace, spans] of traces) {
    if (trace.spans.size > 0) throw new Error("a new record was found seen");
    for (const span of spans) trace.spans.set(span.spanId, span);
  }
  await usage.commit({
    inputOffset: 0,
    arrivedAtMs: Date.now(),
    entries: [],
    traces,
    wrappers: new Map(),
    state: {},
  });
  const { user, system } = process.cpuUsage(cpu);
  return { cpuUs: user + system, wallUs: (performance.now() - startedMs) * 1000 };
}

function spanOf({ spanId }: Identity): SeenSpan {
  const hashes = { contentHash: 1, responseHash: 1, callHash: 1, modelHash: 1, emitterHash: 1 };
  return {
    spanId,
    parentSpanId: "",
    startUs: 0,
    endUs: 0,
    revision: 0,
    ...hashes,
    rank: 0,
    bits: spanBits.billed,
    place: -1,
  };
}

function measureHits(usage: LmdbUsageLog, known: readonly Identity[]): number {
  const startedMs = performance.now();
  for (let index = 0; index < lookups; index++) {
    const one = known[(index * 7919) % known.length];
    if (one === undefined || usage.memory.seen(usage.memory.trace(one), one.spanId) === undefined)
      throw new Error("a repeat was not found");
  }
  return ((performance.now() - startedMs) * 1000) / lookups;
}

interface Reached {
  readonly entries: number;
  readonly costs: readonly Cost[];
  readonly hitUs: number;
  readonly directory: string;
}

function rowOf({ entries, costs, hitUs, directory }: Reached): Cell[] {
  const bytes = statSync(join(directory, "data.mdb")).blocks * 512;
  const last = costs.slice(-stepsCounted);
  const perRecord = (of: (cost: Cost) => number) =>
    last.reduce((sum, cost) => sum + of(cost), 0) / last.length / stepRecords;
  const cpuUs = perRecord((cost) => cost.cpuUs);
  const wallUs = perRecord((cost) => cost.wallUs);
  return [`${(entries / 1e6).toFixed(1)} M`, cpuUs, wallUs, hitUs, bytes / entries, bytes / 1e6];
}

function identityOf(index: number): Identity {
  const bytes = randomBytes(24).toString("hex");
  return { tenant: `tenant-${index % 50}`, traceId: bytes.slice(0, 32), spanId: bytes.slice(32) };
}
