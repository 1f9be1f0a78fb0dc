/**
 * What is written into the two logs: versioned MessagePack. A reader of a newer version's entry stops with a clear
 * error instead of guessing. Decoded entries are handed over in memory while they are fresh; the log stays the truth.
 */

import { Packr } from "msgpackr";
import type { Span } from "../model/span.ts";
import type { UsageRecord } from "../model/usage-record.ts";

/** One export request's kept spans. */
export interface SpansEntry {
  readonly version: 1;
  /** Unix milliseconds when the request was accepted. */
  readonly arrivedAtMs: number;
  readonly spans: readonly Span[];
}

/** Records resolved together. Without records it is a tick: it only tells the time. */
export interface UsageEntry {
  readonly version: 1;
  readonly arrivedAtMs: number;
  readonly records: readonly UsageRecord[];
}

/** Structures are written inside each entry, so that every entry can be read alone. */
const packr = new Packr({ useRecords: true });

/** An entry as it is written into a log. */
export function encodeEntry(entry: SpansEntry | UsageEntry): Uint8Array {
  return packr.pack(entry);
}

/** An entry of the spans log. @throws Error when a newer version wrote it. */
export function decodeSpansEntry(payload: Uint8Array): SpansEntry {
  return checked(packr.unpack(payload), "spans");
}

/** An entry of the usage log. @throws Error when a newer version wrote it. */
export function decodeUsageEntry(payload: Uint8Array): UsageEntry {
  const entry: UsageEntry = checked(packr.unpack(payload), "usage");
  const [first] = entry.records;
  return first === undefined || "priceTag" in first ? entry : { ...entry, records: entry.records.map(withoutPrice) };
}

/** A record that a version before price tags left in the log: all of its cost is of no known kind. */
function withoutPrice(record: UsageRecord): UsageRecord {
  return { ...unpriced, ...record };
}

const unpriced = { images: 0, audioMs: 0, serviceTier: "", priceTag: "", costCarry: 0, repricings: 0 };

function checked<Entry extends { readonly version: number }>(entry: Entry, log: string): Entry {
  if (entry.version === 1) return entry;
  throw new Error(
    `${log} log: entry of version ${entry.version}, this Burnwatch reads version 1: start the newer version that wrote it`,
  );
}
