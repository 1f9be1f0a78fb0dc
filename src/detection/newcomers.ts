/**
 * Runs, sessions and users that were met once. Most are never met again, and a series of their own would cost more than
 * all else about their record: they get one with the second record, and it is told of the first.
 */

import type { UsageRecord } from "../model/usage-record.ts";

export interface Met {
  readonly record: UsageRecord;
  readonly arrivedAtMs: number;
}

/** Plain data, each in the order of the meetings. */
export interface Newcomers {
  readonly recent: Map<string, Met>;
  /** Names alone, of those met before the recent ones. */
  readonly older: Set<string>;
}

/** Records kept, some 10 MB. */
const recentMax = 8192;
/** In a flood of new names beyond it the oldest is forgotten: its next record is its first again. */
const olderMax = 200_000;

export function newNewcomers(): Newcomers {
  return { recent: new Map(), older: new Set() };
}

/** @returns what a new series must be told of before this record, at the second meeting; null at the first. */
export function meet({ recent, older }: Newcomers, name: string, met: Met): readonly Met[] | null {
  const first = recent.get(name);
  if (first !== undefined) {
    recent.delete(name);
    return [first];
  }
  if (older.delete(name)) return [];
  recent.set(name, met);
  if (recent.size > recentMax) {
    for (const oldest of recent.keys()) {
      recent.delete(oldest);
      older.add(oldest);
      break;
    }
  }
  if (older.size > olderMax) for (const oldest of older) if (older.delete(oldest)) break;
  return null;
}
