/** What the writer will insert next, decided once and written down before it is done. Pure. */

import type { ParkedEntry } from "../event-log/dead-letter.ts";
import { dayOf, daysMax } from "./split-by-days.ts";
import type { UsageEntry } from "./usage-codec.ts";

export interface Plan {
  /** Deduplication token of the insert, unique per log and range. */
  readonly token: string;
  /** First and last offset of the usage log, both included. */
  readonly from: number;
  readonly to: number;
  /** Unix milliseconds; a plan older than the store's deduplication window is looked up before it is repeated. */
  readonly plannedAtMs: number;
}

export interface PlanLimits {
  readonly rowsMax: number;
}

export interface OffsetEntry {
  readonly offset: number;
  /** Without records where the bytes could not be read. */
  readonly entry: UsageEntry;
  readonly parked?: ParkedEntry;
}

/**
 * The longest run of entries from the first one that stays within the row limit and the day partitions of one insert.
 * An entry alone always fits: the resolver cut it so.
 * @returns how many entries to take; 0 only for an empty list.
 */
export function entriesToPlan(entries: readonly OffsetEntry[], limits: PlanLimits): number {
  const days = new Set<number>();
  let rows = 0;
  let taken = 0;
  for (const { entry } of entries) {
    rows += entry.records.length;
    for (const record of entry.records) days.add(dayOf(record));
    if (taken > 0 && (rows > limits.rowsMax || days.size > daysMax)) return taken;
    taken++;
  }
  return taken;
}
