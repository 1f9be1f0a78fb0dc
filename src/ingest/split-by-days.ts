/** Cuts records into log entries that a writer can always plan: few enough rows, few enough day partitions. */

import type { UsageRecord } from "../model/usage-record.ts";

/** Rows of one entry at most. */
export const entryRecordsMax = 4096;
/** Day partitions that one insert may touch (DESIGN section 4). */
export const daysMax = 20;

const dayUs = 86_400_000_000;

/** The UTC day number since 1970 that a record is stored under. */
export function dayOf(record: Pick<UsageRecord, "startUs">): number {
  return Math.floor(record.startUs / dayUs);
}

/**
 * Records in chunks of at most `entryRecordsMax` rows and `daysMax` days. Records of few days keep their order; a
 * backfill over many days is sorted by day first, so that it does not fall apart into tiny chunks.
 */
export function splitByDays(records: readonly UsageRecord[]): UsageRecord[][] {
  if (records.length === 0) return [];
  const spread = new Set(records.map(dayOf)).size;
  const ordered = spread <= daysMax ? records : [...records].sort((a, b) => dayOf(a) - dayOf(b));
  const chunks: UsageRecord[][] = [];
  let chunk: UsageRecord[] = [];
  let days = new Set<number>();
  for (const record of ordered) {
    const day = dayOf(record);
    if (chunk.length >= entryRecordsMax || (days.size >= daysMax && !days.has(day))) {
      chunks.push(chunk);
      chunk = [];
      days = new Set();
    }
    days.add(day);
    chunk.push(record);
  }
  chunks.push(chunk);
  return chunks;
}
