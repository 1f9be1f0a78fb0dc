import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { DiskSpace } from "../event-log/disk-space.ts";
import { LmdbUsageLog } from "../event-log/lmdb-usage-log.ts";
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
    usage,
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

it("repeats a planned batch whole after a restart with a lower limit of rows", async () => {
  const entries = Array.from({ length: 10 }, (_, index) => records.slice(index * 10, index * 10 + 10));
  await usage.entries.appendWith(
    entries.map((own) => encodeUsageEntry({ arrivedAtMs: startMs, records: own })),
    () => undefined,
  );
  // As of a process that was killed in its insert: it was asked for, and nobody heard of its end.
  const planned = await new Promise<Batch>((asked) => {
    openWriter(1000, (batch) => {
      asked(batch);
      return new Promise(() => undefined);
    }).start();
  });
  expect(planned.records).toHaveLength(100);

  const repeated: Batch[] = [];
  const writer = openWriter(20, async (batch) => void repeated.push(batch));
  writer.start();
  await expect.poll(() => writer.offset()).toBe(10);
  await writer.stop();
  expect(repeated).toEqual([planned]);
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
