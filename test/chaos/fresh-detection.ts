/**
 * Reads the whole usage log of a stopped server with a detector and an alert book that never saw a crash, and compares
 * what they know with what the server had saved.
 */

import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { deserialize } from "node:v8";
import type { Block } from "../../detectors/cells.ts";
import { AlertBook, type AlertBookState } from "../../src/alerting/alert-book.ts";
import { DetectionWorker } from "../../src/detection/detection-worker.ts";
import { judgeHere } from "../../src/detection/judge.ts";
import type { SeriesNode } from "../../src/detection/series-tree.ts";
import type { LogEntry } from "../../src/event-log/event-log.ts";
import { LmdbUsageLog } from "../../src/event-log/lmdb-usage-log.ts";
import type { UsageLog } from "../../src/event-log/usage-log.ts";
import { decodeUsageEntry } from "../../src/ingest/usage-codec.ts";
import { excessUsdPerMinuteMin } from "./incident.ts";
import { Journal } from "./journal.ts";

interface SavedDetection {
  readonly offset: number;
  readonly watcher: Uint8Array;
}

interface SavedState {
  readonly detection: SavedDetection | undefined;
  readonly alerts: AlertBookState | undefined;
  readonly entries: readonly LogEntry[];
}

export interface DetectionFaults {
  readonly differences: readonly string[];
  readonly entries: number;
  readonly alerts: number;
}

/** @param directory data directory of a server that is not running. */
export async function detectionFaults(directory: string, journal: string): Promise<DetectionFaults> {
  const { detection, alerts, entries } = await savedState(directory, journal);
  if (detection === undefined) return { differences: [], entries: 0, alerts: 0 };
  const undisturbed = await judge(entries, detection.offset);
  const series = compare("series", bySeries(detection), bySeries(undisturbed.saved));
  const differences = [...gaps(entries, detection.offset), ...series];
  // After a kill the book may know more than the saved detector, which will tell it again.
  const told = alerts?.appliedOffset ?? 0;
  const { book } = told <= detection.offset ? undisturbed : await judge(entries, told);
  const known = new Map((alerts?.entries ?? []).map(({ alert }) => [alert.fingerprint, alert]));
  const expected = new Map(book.entries.map(({ alert }) => [alert.fingerprint, alert]));
  const marks = ` (detector saved at ${detection.offset}, alerts at ${told})`;
  differences.push(...compare("alert", known, expected).map((line) => line + marks));
  return { differences, entries: entries.length, alerts: known.size };
}

async function savedState(directory: string, journal: string): Promise<SavedState> {
  const log = new LmdbUsageLog({ directory: join(directory, "usage"), identities: { horizonMs: 1, entriesMax: 1 } });
  try {
    const found = new Map(new Journal(journal).entries());
    const last = log.entries.lastOffset();
    for (let after = log.entries.trimmedOffset(); after < last; ) {
      const entries = log.entries.peek(after, 256);
      for (const { offset, payload } of entries) found.set(offset, { offset, payload: Buffer.from(payload) });
      after = entries.at(-1)?.offset ?? last;
    }
    return {
      detection: log.mark("detection") as SavedDetection | undefined,
      alerts: log.mark("alerts") as AlertBookState | undefined,
      entries: [...found.values()].sort((a, b) => a.offset - b.offset),
    };
  } finally {
    await log.close();
  }
}

/** The log must be whole, or the comparison says nothing. */
function gaps(entries: readonly LogEntry[], last: number): string[] {
  const missing: string[] = [];
  let next = 1;
  for (const { offset } of entries) {
    if (offset > last) break;
    if (offset !== next) missing.push(`usage log: no entry between ${next} and ${offset - 1}`);
    next = offset + 1;
  }
  if (next !== last + 1) missing.push(`usage log: no entry between ${next} and ${last}`);
  return missing;
}

/** A detector and an alert book that read the log from its start up to `last` and never stop. */
async function judge(
  entries: readonly LogEntry[],
  last: number,
): Promise<{ saved: SavedDetection; book: AlertBookState }> {
  const book = new AlertBook(undefined);
  const log = logInMemory(entries.filter(({ offset }) => offset <= last));
  const worker = new DetectionWorker({
    usage: log.usage,
    judge: judgeHere(
      { choices: { spend: { settings: { excess_usd_per_minute_min: excessUsdPerMinuteMin } } }, seriesMax: 100_000 },
      (_, payload) => decodeUsageEntry(payload),
    ),
    saveEveryMs: Number.MAX_SAFE_INTEGER,
    now: () => 0,
    report: async (findings, offset) => void book.apply(findings, offset),
  });
  const { failed } = worker.start();
  while (worker.offset() < last) await Promise.race([failed, new Promise((done) => setTimeout(done, 1))]);
  await worker.stop();
  return { saved: log.marks.get("detection") as SavedDetection, book: book.state() };
}

/** As much of a usage log as a detector asks for. */
function logInMemory(all: readonly LogEntry[]): { readonly usage: UsageLog; readonly marks: Map<string, unknown> } {
  const marks = new Map<string, unknown>();
  const entries = {
    read: (after: number, limit: number) => all.slice(after, after + limit),
    async waitFor(after: number, signal: AbortSignal) {
      while (after >= all.length && !signal.aborted) await new Promise((done) => setTimeout(done, 1));
    },
  };
  const usage = {
    entries,
    mark: () => undefined,
    async saveMark(name: string, value: unknown) {
      marks.set(name, structuredClone(value));
    },
  };
  // The rest of the contract is not asked for: a detector that begins to ask will fail here and be noticed.
  return { usage: usage as unknown as UsageLog, marks };
}

/** What is known of each series, by its name. */
function bySeries({ watcher }: SavedDetection): Map<string, unknown> {
  const { root } = deserialize(watcher) as { readonly root: SeriesNode };
  const found = new Map<string, unknown>();
  const waiting = [root];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    const { parent: _parent, children, ...known } = node;
    found.set(`${node.scope} ${JSON.stringify(node.series)}`, standalone(known));
    for (const siblings of children ?? []) waiting.push(...(siblings?.values() ?? []));
  }
  return found;
}

/** A copy whose blocks of cells stand for themselves: where in the store one lies depends on what was given back before. */
function standalone(value: unknown): unknown {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  if (Array.isArray(value)) return value.map(standalone);
  if (value instanceof Map) return new Map([...value].map(([key, each]) => [key, standalone(each)]));
  const { store: _store, ...own } = value as Partial<Block>;
  if (own.cells === undefined)
    return Object.fromEntries(Object.entries(own).map(([key, each]) => [key, standalone(each)]));
  const { cells, at = 0, length = 0 } = own;
  return { ...own, cells: cells.slice(at, at + length), at: 0 };
}

function compare(what: string, saved: ReadonlyMap<string, unknown>, fresh: ReadonlyMap<string, unknown>): string[] {
  const names = new Set([...saved.keys(), ...fresh.keys()]);
  return [...names]
    .filter((name) => !isDeepStrictEqual(saved.get(name), fresh.get(name)))
    .map(
      (name) =>
        `${what} ${name}: saved ${JSON.stringify(saved.get(name))}, undisturbed ${JSON.stringify(fresh.get(name))}`,
    );
}
