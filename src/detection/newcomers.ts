/**
 * Runs, sessions and users that were met once. Most are never met again, and a series of their own would cost more than
 * all else about their record: they get one with the second record, and it is told of the first.
 */

import type { UsageRecord } from "../model/usage-record.ts";

export interface Met {
  readonly record: UsageRecord;
  readonly arrivedAtMs: number;
}

/** Records kept, some 10 MB. */
const recentMax = 8192;
/** In a flood of new names beyond it the oldest is forgotten: its next record is its first again. */
const olderMax = 200_000;

/** Plain data apart from its methods, each collection in the order of the meetings. */
export class Newcomers {
  readonly recent: Map<string, Met>;
  /** Names alone, of those met before the recent ones. */
  readonly older: Set<string>;
  /**
   * Each stands where the oldest was last taken away: one that began anew would walk over everything that was taken before,
   * until the collection is laid out again, which is half of it for each name.
   */
  readonly #oldestRecent: Iterator<string>;
  readonly #oldestOlder: Iterator<string>;

  /** @param saved what a snapshot kept of another. */
  constructor(saved?: Pick<Newcomers, "recent" | "older">) {
    this.recent = saved?.recent ?? new Map();
    this.older = saved?.older ?? new Set();
    this.#oldestRecent = this.recent.keys();
    this.#oldestOlder = this.older.keys();
  }

  /** @returns what a new series must be told of before this record, at the second meeting; null at the first. */
  meet(name: string, met: Met): readonly Met[] | null {
    const { recent, older } = this;
    const first = recent.get(name);
    if (first !== undefined) {
      recent.delete(name);
      return [first];
    }
    if (older.delete(name)) return [];
    recent.set(name, met);
    if (recent.size > recentMax) {
      const oldest: string = this.#oldestRecent.next().value;
      recent.delete(oldest);
      older.add(oldest);
    }
    if (older.size > olderMax) older.delete(this.#oldestOlder.next().value);
    return null;
  }
}
