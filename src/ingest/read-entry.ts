/** Reading past what cannot be read: a corrupt entry is put aside, one of another version is waited for. */

import type { ParkedEntry } from "../event-log/dead-letter.ts";
import type { LogEntry } from "../event-log/event-log.ts";
import { CorruptEntry, OtherVersionEntry } from "../event-log/unreadable-entry.ts";

/**
 * Entries, and bytes of them, that are put aside together: they go to the brokers as one batch, which may be as long as
 * the longest single letter, and some cannot be compressed. One always goes.
 */
const [parkedMax, parkedBytesMax] = [16, 8 * 1024 * 1024];

export interface ReadOptions {
  /** Whether the log takes what is put aside; where it does not, the reader stops at it. */
  readonly parks: boolean;
  /** Nothing was read before it in this batch: there is nothing to be done first. */
  readonly first: boolean;
  /** What is put aside together with it; nothing where the batch was decided before. */
  readonly parked: readonly ParkedEntry[];
  readonly now: () => number;
}

export type ReadEntry<Entry> = { readonly entry: Entry } | { readonly parked: ParkedEntry };

/**
 * @returns null where the batch ends before it: an entry of another version, or one too many to be put aside.
 * @throws OtherVersionEntry at the beginning of a batch.
 */
export function readEntry<Entry>(
  { offset, payload }: LogEntry,
  decode: (payload: Uint8Array) => Entry,
  { parks, first, parked, now }: ReadOptions,
): ReadEntry<Entry> | null {
  try {
    return { entry: decode(payload) };
  } catch (error) {
    if (error instanceof OtherVersionEntry && !first) return null;
    if (!(error instanceof CorruptEntry && parks)) throw error;
    if (isFull(parked, payload)) return null;
    return { parked: { offset, payload, reason: error.message, parkedAtMs: now() } };
  }
}

function isFull(parked: readonly ParkedEntry[], payload: Uint8Array): boolean {
  const bytes = parked.reduce((sum, one) => sum + one.payload.length, payload.length);
  return parked.length >= parkedMax || (parked.length > 0 && bytes > parkedBytesMax);
}
