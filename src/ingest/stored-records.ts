/**
 * What was already resolved, beyond the identity index: in the part of the usage log that is not stored yet, and in the
 * table. Asked for corrections (which need the record they correct) and for spans older than the index's horizon.
 */

import type { Identity, UsageLog } from "../event-log/usage-log.ts";
import type { Operation, UsageRecord } from "../model/usage-record.ts";
import type { Store } from "../store/store.ts";
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

/** Text under which a record is looked for. */
export function identityKey({ tenant, traceId, spanId }: Identity): string {
  return `${traceId}${spanId}${tenant}`;
}

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
  for (const record of unwritten(options)) {
    if (missing.has(identityKey(record)) && record.calls >= 0) keepNewest(found, record);
  }
  const asked = [...missing.values()];
  for (let start = 0; start < asked.length; start += idsPerQuery) {
    for (const record of await inTable(asked.slice(start, start + idsPerQuery), options.store)) {
      if (missing.has(identityKey(record))) keepNewest(found, record);
    }
  }
  return found;
}

function keepNewest(found: Map<string, UsageRecord>, record: UsageRecord): void {
  const known = found.get(identityKey(record));
  if (known === undefined || record.revision > known.revision) found.set(identityKey(record), record);
}

function* unwritten({ usage, fresh, writtenOffset }: StoredRecordsOptions): Generator<UsageRecord> {
  let after = writtenOffset();
  for (;;) {
    const entries = usage.entries.read(after, entriesPerRead);
    for (const { offset, payload } of entries) {
      yield* (fresh.get(offset) ?? decodeUsageEntry(payload)).records;
      after = offset;
    }
    if (entries.length < entriesPerRead) return;
  }
}

interface Row {
  readonly [column: string]: string | number | readonly string[] | null;
}

/** Days of both the wanted time and its neighbours, since a corrected time may have moved the record. */
async function inTable(wanted: readonly Wanted[], store: Store): Promise<UsageRecord[]> {
  const days = new Set(wanted.flatMap(({ startUs }) => [-1, 0, 1].map((shift) => dayText(startUs, shift))));
  const rows = await store.query<Row>(
    `SELECT *, toUnixTimestamp64Micro(ts) AS start_us, toInt64(cost_usd * 1000000000) AS cost_nano,
       toInt64(cost_reported_usd * 1000000000) AS reported_nano
     FROM usage_records
     WHERE toDate(ts) IN {days:Array(Date)} AND trace_id IN {traces:Array(String)} AND calls >= 0`,
    { params: { days: [...days], traces: [...new Set(wanted.map(({ traceId }) => traceId))] } },
  );
  return rows.map(recordOf);
}

function dayText(startUs: number, shift: number): string {
  return new Date(startUs / 1000 + shift * 86_400_000).toISOString().slice(0, 10);
}

function recordOf(row: Row): UsageRecord {
  const text = (column: string) => String(row[column] ?? "");
  const number = (column: string) => Number(row[column] ?? 0);
  const orNull = (column: string) => (row[column] === null ? null : number(column));
  return {
    tenant: text("tenant"),
    service: text("service"),
    environment: text("environment"),
    feature: text("feature"),
    user: text("user"),
    session: text("session"),
    agent: text("agent"),
    run: text("run"),
    promptName: text("prompt_name"),
    promptVersion: text("prompt_version"),
    release: text("release"),
    traceId: text("trace_id"),
    spanId: text("span_id"),
    parentSpanId: text("parent_span_id"),
    startUs: number("start_us"),
    endUs: number("start_us") + number("duration_us"),
    operation: text("operation") as Operation,
    provider: text("provider"),
    model: text("model"),
    requestModel: text("request_model"),
    responseId: text("response_id"),
    finishReason: text("finish_reason"),
    status: text("status") === "error" ? "error" : "ok",
    errorType: text("error_type"),
    tool: text("tool"),
    toolArgsHash: text("tool_args_hash"),
    outcome: text("outcome"),
    usage: {
      input: number("input_uncached_tokens"),
      cacheRead: number("cache_read_tokens"),
      cacheWrite5m: number("cache_write_5m_tokens"),
      cacheWrite1h: number("cache_write_1h_tokens"),
      output: number("output_visible_tokens"),
      reasoning: number("reasoning_tokens"),
    },
    calls: number("calls") === 0 ? 0 : 1,
    costNanoUsd: orNull("cost_nano"),
    costStatus: text("cost_status") as UsageRecord["costStatus"],
    reportedNanoUsd: orNull("reported_nano"),
    revision: number("revision"),
    flags: (row["flags"] as readonly string[] | null) ?? [],
  };
}
