/**
 * Whether what a writer is about to begin is in the table already. A writer without a place begins at the start of its log,
 * under tokens that nobody has seen; where brokers have forgotten the place of one that was away, all that is left of the
 * log would be stored a second time.
 */

import type { LogReader } from "../event-log/event-log.ts";
import { identityKey } from "../event-log/usage-log.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import type { Store } from "../store/store.ts";
import { readEntry } from "./read-entry.ts";
import { decodeUsageEntry } from "./usage-codec.ts";

export interface StoredAlready {
  /** Of the batches it was stored by, as in their tokens (`Plan`). */
  readonly logId: string;
  /** Offset of the last entry that was stored under it. */
  readonly to: number;
}

interface Sample {
  readonly offset: number;
  readonly record: UsageRecord;
}

interface Row {
  readonly tenant: string;
  readonly trace_id: string;
  readonly span_id: string;
  readonly revision: number | string;
  readonly batch: string;
}

const entriesMax = 4096;
const samplesMax = 500;
const entriesPerRead = 64;
/** A token names its log with the partition, and its range: another log or another topic of that name does not fit. */
const tokenForm = /^([^-]+\.(\d+))-(\d+)-(\d+)/;

/**
 * Looks for the first records of a partition in the table, by identity, revision, partition and range of the batch.
 * @returns null where they are not there, or where the log has none.
 */
export async function storedAlready(
  { entries, partition }: { readonly entries: Pick<LogReader, "read">; readonly partition: number },
  store: Pick<Store, "queryShards">,
): Promise<StoredAlready | null> {
  const samples = await firstRecords(entries);
  if (samples.length === 0) return null;
  const offsets = new Map(samples.map(({ record, offset }) => [keyOf(record), offset]));
  const days = [...new Set(samples.map(({ record }) => dayText(record)))].sort();
  const rows = await store.queryShards<Row>(
    `SELECT tenant, trace_id, span_id, revision, batch FROM usage_records
     WHERE toDate(ts) IN {days:Array(Date)} AND trace_id IN {traces:Array(String)} AND calls >= 0`,
    { params: { days, traces: [...new Set(samples.map(({ record }) => record.traceId))] } },
  );
  for (const row of rows) {
    const identity = { tenant: row.tenant, traceId: row.trace_id, spanId: row.span_id };
    const offset = offsets.get(keyOf({ ...identity, revision: Number(row.revision) }));
    const [, logId = "", of, from, to] = tokenForm.exec(row.batch) ?? [];
    if (offset === undefined || Number(of) !== partition || offset < Number(from) || offset > Number(to)) continue;
    return { logId, to: await lastOf(store, logId, days[0] ?? "") };
  }
  return null;
}

/** What is left of a log is younger than its first records, but for late ones. */
async function lastOf(store: Pick<Store, "queryShards">, logId: string, sinceDay: string): Promise<number> {
  // One of each shard.
  const rows = await store.queryShards<{ last: string }>(
    `SELECT toString(max(toUInt64OrZero(splitByChar('-', batch)[3]))) AS last FROM usage_records
     WHERE toDate(ts) >= {since:Date} AND startsWith(batch, {log:String})`,
    { params: { since: sinceDay, log: `${logId}-` } },
  );
  return Math.max(0, ...rows.map(({ last }) => Number(last)));
}

async function firstRecords(entries: Pick<LogReader, "read">): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  let after = 0;
  for (let seen = 0; seen < entriesMax && samples.length < samplesMax; ) {
    const found = await entries.read(after, entriesPerRead);
    if (found.length === 0) break;
    for (const entry of found) {
      const read = readEntry(entry, () => decodeUsageEntry(entry.payload), {
        parks: true,
        first: true,
        parked: [],
        now: () => 0,
      });
      if (read !== null && "entry" in read)
        samples.push(...read.entry.records.map((record) => ({ offset: entry.offset, record })));
      after = entry.offset;
    }
    seen += found.length;
  }
  // Retractions have the identity of what they take back.
  return samples.filter(({ record }) => record.calls >= 0).slice(0, samplesMax);
}

function keyOf(record: Pick<UsageRecord, "tenant" | "traceId" | "spanId" | "revision">): string {
  return `${record.revision} ${identityKey(record)}`;
}

function dayText({ startUs }: UsageRecord): string {
  return new Date(startUs / 1000).toISOString().slice(0, 10);
}
