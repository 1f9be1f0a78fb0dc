/** Reading past what cannot be read: a corrupt entry is put aside, one of another version is waited for. */

import type { ParkedEntry } from "../event-log/dead-letter.ts";
import type { LogEntry } from "../event-log/event-log.ts";
import { CorruptEntry, OtherVersionEntry } from "../event-log/unreadable-entry.ts";

/** Entries that are put aside together. */
export const parkedMax = 16;

export interface ReadOptions {
  /** Whether the log takes what is put aside; where it does not, the reader stops at it. */
  readonly parks: boolean;
  /** Nothing was read before it in this batch: there is nothing to be done first. */
  readonly first: boolean;
  readonly now: () => number;
}

export type ReadEntry<Entry> = { readonly entry: Entry } | { readonly parked: ParkedEntry };

/** @returns null where the batch ends before an entry of another version. @throws OtherVersionEntry at its beginning. */
export function readEntry<Entry>(
  { offset, payload }: LogEntry,
  decode: (payload: Uint8Array) => Entry,
  { parks, first, now }: ReadOptions,
): ReadEntry<Entry> | null {
  try {
    return { entry: decode(payload) };
  } catch (error) {
    if (error instanceof OtherVersionEntry && !first) return null;
    if (!(error instanceof CorruptEntry && parks)) throw error;
    return { parked: { offset, payload, reason: error.message, parkedAtMs: now() } };
  }
}
