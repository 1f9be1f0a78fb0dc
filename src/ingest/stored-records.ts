/**
 * What was already resolved, beyond the identity index: in the part of the usage log that is not stored yet, and in the
 * table. Asked for corrections (which need the record they correct) and for spans older than the index's horizon.
 */

import { type Identity, identityKey, type UsageLog } from "../event-log/usage-log.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import type { Store } from "../store/store.ts";
import { recordOfRow, type StoredRow, storedColumns } from "../store/stored-row.ts";
import type { FreshEntries } from "./fresh-entries.ts";
import { decodeUsageEntry, type UsageEntry } from "./usage-codec.ts";

export interface StoredRecordsOptions {
  readonly usage: UsageLog;
  readonly fresh: FreshEntries<UsageEntry>;
  readonly store: Store;
  /** Every entry of the usage log up to here is in the table. */
  readonly writtenOffset: () => number;
}

/** One to look for: the time tells the table's day. */
export interface Wanted extends Identity {
  readonly startUs: number;
}

const idsPerQuery = 1000;
const entriesPerRead = 64;

/**
 * The newest revision of each wanted record that was resolved before, by `identityKey`. The log is read before the
 * table: what the writer moves between the two is found at least once.
 */
export async function findStored(
  wanted: readonly Wanted[],
  options: StoredRecordsOptions,
): Promise<Map<string, UsageRecord>> {
  const found = new Map<string, UsageRecord>();
  const missing = new Map(wanted.map((one) => [identityKey(one), one]));
  for await (const records of unwritten(options)) {
    for (const record of records) if (missing.has(identityKey(record)) && record.calls >= 0) keepNewest(found, record);
  }
  await addFromTable(found, missing, options.store);
  return found;
}

/** The same from the table alone, where all that was resolved before is in it. */
export async function findInTable(wanted: readonly Wanted[], store: Store): Promise<Map<string, UsageRecord>> {
  const found = new Map<string, UsageRecord>();
  await addFromTable(found, new Map(wanted.map((one) => [identityKey(one), one])), store);
  return found;
}

async function addFromTable(
  found: Map<string, UsageRecord>,
  missing: ReadonlyMap<string, Wanted>,
  store: Store,
): Promise<void> {
  const asked = [...missing.values()];
  for (let start = 0; start < asked.length; start += idsPerQuery) {
    for (const record of await inTable(asked.slice(start, start + idsPerQuery), store)) {
      if (missing.has(identityKey(record))) keepNewest(found, record);
    }
  }
}

function keepNewest(found: Map<string, UsageRecord>, record: UsageRecord): void {
  const known = found.get(identityKey(record));
  if (known === undefined || record.revision > known.revision) found.set(identityKey(record), record);
}

async function* unwritten({
  usage,
  fresh,
  writtenOffset,
}: StoredRecordsOptions): AsyncGenerator<readonly UsageRecord[]> {
  let after = writtenOffset();
  for (;;) {
    const entries = await usage.entries.read(after, entriesPerRead);
    for (const { offset, payload } of entries) {
      yield (fresh.get(offset) ?? decodeUsageEntry(payload)).records;
      after = offset;
    }
    if (entries.length === 0) return;
  }
}

/** Days of both the wanted time and its neighbours, since a corrected time may have moved the record. */
async function inTable(wanted: readonly Wanted[], store: Store): Promise<UsageRecord[]> {
  const days = new Set(wanted.flatMap(({ startUs }) => [-1, 0, 1].map((shift) => dayText(startUs, shift))));
  const rows = await store.queryShards<StoredRow>(
    `SELECT ${storedColumns} FROM usage_records
     WHERE toDate(ts) IN {days:Array(Date)} AND trace_id IN {traces:Array(String)} AND calls >= 0`,
    { params: { days: [...days], traces: [...new Set(wanted.map(({ traceId }) => traceId))] } },
  );
  return rows.map(recordOfRow);
}

function dayText(startUs: number, shift: number): string {
  return new Date(startUs / 1000 + shift * 86_400_000).toISOString().slice(0, 10);
}
