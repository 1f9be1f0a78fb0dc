import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { DiskSpace } from "../event-log/disk-space.ts";
import { LmdbUsageLog } from "../event-log/lmdb-usage-log.ts";
import type { ConsumedLog } from "../event-log/usage-log.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import { sampleRecords } from "../store/sample-records.ts";
import type { Batch, Store } from "../store/store.ts";
import { FreshEntries } from "./fresh-entries.ts";
import { encodeUsageEntry, type UsageEntry } from "./usage-codec.ts";
import { Writer } from "./writer.ts";

const startMs = Date.UTC(2026, 5, 1, 12);
const records = [...sampleRecords({ count: 100, seed: 4, startMs, spanMs: 60_000 })];
let directory: string;
let usage: LmdbUsageLog;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "burnwatch-writer-"));
  usage = new LmdbUsageLog({ directory: join(directory, "usage"), identities: { horizonMs: 1000, entriesMax: 1000 } });
});
afterEach(async () => {
  await usage.close();
  rmSync(directory, { recursive: true, force: true });
});

interface Around {
  readonly log?: ConsumedLog;
  readonly store?: Partial<Store>;
  readonly alone?: boolean;
  readonly now?: () => number;
}

/** A writer over a store that has nothing to seal or repair and takes batches as told. */
function openWriter(rowsMax: number, insert: Store["insert"], around: Around = {}): Writer {
  const store: Partial<Store> = {
    shards: ["1"],
    partPressure: async () => ({ parts: 0, delayAt: 1000, throwAt: 3000 }),
    ...around.store,
    insert,
    sealedDays: async () => [],
    sealDays: async () => [],
    repairRollups: async () => [],
  };
  return new Writer({
    logId: "log",
    usage: around.log ?? usage,
    fresh: new FreshEntries<UsageEntry>(0),
    store: store as Store,
    space: new DiskSpace({ directory, freeBytesMin: 0 }),
    rowsMax,
    alone: around.alone ?? true,
    lingerMs: 1,
    now: around.now ?? (() => startMs),
    observe: () => undefined,
    repaired: () => undefined,
    failed: () => undefined,
  });
}

/** A writer's log that has a plan over these entries already, as a process left it that was killed in its insert. */
async function planOver(groups: readonly (readonly UsageRecord[])[]): Promise<Batch> {
  await usage.entries.appendWith(
    groups.map((own) => encodeUsageEntry({ arrivedAtMs: startMs, records: own })),
    () => undefined,
  );
  return new Promise<Batch>((asked) => {
    openWriter(1000, (batch) => {
      asked(batch);
      return new Promise(() => undefined);
    }).start();
  });
}

it("repeats a planned batch whole after a restart with a lower limit of rows", async () => {
  const entries = Array.from({ length: 10 }, (_, index) => records.slice(index * 10, index * 10 + 10));
  const planned = await planOver(entries);
  expect(planned.records).toHaveLength(100);

  const repeated: Batch[] = [];
  const writer = openWriter(20, async (batch) => void repeated.push(batch));
  writer.start();
  await expect.poll(() => writer.offset()).toBe(10);
  await writer.stop();
  expect(repeated).toEqual([planned]);
});

/** The same log, which shows no more than entries up to that offset until somebody has waited for the next one. */
function shownUpTo(offset: number): ConsumedLog {
  let shown = offset;
  const { entries } = usage;
  return {
    parks: usage.parks,
    mark: (name) => usage.mark(name),
    saveMark: (name, value) => usage.saveMark(name, value),
    entries: {
      read: async (after, limit) => (await entries.read(after, limit)).filter((entry) => entry.offset <= shown),
      lastOffset: () => Math.min(shown, entries.lastOffset()),
      trim: (upTo) => entries.trim(upTo),
      waitFor: async (after, signal) => {
        shown = Math.max(shown, after + 1);
        await entries.waitFor(after, signal);
      },
    },
  };
}

it("repeats a planned batch whole where a new leader does not show all of it at first", async () => {
  const planned = await planOver([records.slice(0, 40), records.slice(40, 70), records.slice(70)]);
  const repeated: Batch[] = [];
  const writer = openWriter(1000, async (batch) => void repeated.push(batch), { log: shownUpTo(1) });
  writer.start();
  await expect.poll(() => writer.offset()).toBe(3);
  await writer.stop();
  expect(repeated).toEqual([planned]);
});

it("inserts nothing of a plan whose last entry is gone from the log", async () => {
  await planOver([records.slice(0, 40), records.slice(40, 70), records.slice(70)]);
  // As of a topic that lost its end, and goes on.
  const log = shownUpTo(10);
  const read = log.entries.read.bind(log.entries);
  const cut = async (after: number, limit: number) =>
    (await read(after, limit)).map((entry) => (entry.offset === 3 ? { ...entry, offset: 4 } : entry));
  const repeated: Batch[] = [];
  const insert = async (batch: Batch) => void repeated.push(batch);
  const writer = openWriter(1000, insert, { log: { ...log, entries: { ...log.entries, read: cut } } });
  await expect(writer.start().failed).rejects.toThrow("the log does not hold entry 3 of the planned insert log-1-3");
  expect(repeated).toEqual([]);
});

it("goes on behind a plan of which the log keeps nothing any more", async () => {
  await planOver([records.slice(0, 40), records.slice(40, 70)]);
  await usage.entries.appendWith(
    [encodeUsageEntry({ arrivedAtMs: startMs, records: records.slice(70) })],
    () => undefined,
  );
  // As of a topic whose retention was faster.
  const log = shownUpTo(10);
  const read = (after: number, limit: number) => log.entries.read(Math.max(after, 2), limit);
  const inserted: Batch[] = [];
  const insert = async (batch: Batch) => void inserted.push(batch);
  const writer = openWriter(1000, insert, { log: { ...log, entries: { ...log.entries, read } } });
  writer.start();
  await expect.poll(() => writer.offset()).toBe(3);
  await writer.stop();
  expect(inserted.map(({ token, records: own }) => [token, own.length])).toEqual([["log-3-3", 30]]);
});

it.each([
  {
    uptimeMs: 3_600_000,
    tries: [100, 0],
    what: "looks a batch up whose answer was lost when the store may have forgotten its token",
  },
  {
    uptimeMs: 1000,
    tries: [100, 100],
    what: "repeats it whole when the store itself was away, since rollups heal by the token alone",
  },
])("$what", async ({ uptimeMs, tries }) => {
  await usage.entries.appendWith([encodeUsageEntry({ arrivedAtMs: startMs, records })], () => undefined);
  let nowMs = startMs;
  const seen: number[] = [];
  const day = new Date(startMs).toISOString().slice(0, 10);
  const writer = openWriter(
    1000,
    async (batch) => {
      seen.push(batch.records.length);
      if (seen.length > 1) return;
      // It is in, and nobody hears of it; the next try comes much later.
      nowMs += 120_000;
      throw new Error("no answer");
    },
    {
      alone: false,
      now: () => nowMs,
      store: { batchDays: async () => new Map([[day, 100]]), uptimeMs: async () => uptimeMs },
    },
  );
  writer.start();
  await expect.poll(() => writer.offset(), { timeout: 5000 }).toBe(1);
  await writer.stop();
  expect(seen).toEqual(tries);
});
