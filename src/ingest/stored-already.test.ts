import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { LmdbLog } from "../event-log/lmdb-log.ts";
import { openEmbeddedStore } from "../store/embedded.ts";
import { sampleRecords } from "../store/sample-records.ts";
import type { Store } from "../store/store.ts";
import { storedAlready } from "./stored-already.ts";
import { encodeUsageEntry } from "./usage-codec.ts";

const startMs = Date.UTC(2026, 5, 1, 12);
const records = [...sampleRecords({ count: 40, seed: 4, startMs, spanMs: 60_000 })];
let directory: string;
let store: Store;
let entries: LmdbLog;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "burnwatch-stored-"));
  store = await openEmbeddedStore({ directory: join(directory, "store"), rawRetentionDays: 36_500 });
  await store.migrate();
  entries = new LmdbLog({ directory: join(directory, "log") });
  // First one without records, as the clock of a resolver writes them.
  await entries.append(encodeUsageEntry({ arrivedAtMs: startMs, records: [] }));
  for (let from = 0; from < 40; from += 10)
    await entries.append(encodeUsageEntry({ arrivedAtMs: startMs, records: records.slice(from, from + 10) }));
});
afterAll(async () => {
  await entries?.close();
  await store?.close();
  rmSync(directory, { recursive: true, force: true });
});

it("finds a log in the table by its records, and the last entry that was stored", async () => {
  expect(await storedAlready({ entries, partition: 3 }, store)).toBeNull();
  await store.insert({ token: "00000000aa.3-1-3", records: records.slice(0, 20) });
  await store.insert({ token: "00000000aa.3-4-4", records: records.slice(20, 30) });
  expect(await storedAlready({ entries, partition: 3 }, store)).toEqual({ logId: "00000000aa.3", to: 4 });
});

it("takes the same records for others in another partition or another range: they came by another log", async () => {
  expect(await storedAlready({ entries, partition: 4 }, store)).toBeNull();
  const later = {
    read: async (after: number, limit: number) =>
      (await entries.read(after, limit)).map((entry) => ({ ...entry, offset: entry.offset + 100 })),
  };
  expect(await storedAlready({ entries: later, partition: 3 }, store)).toBeNull();
});
