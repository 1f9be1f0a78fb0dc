/** What the writer will insert next, decided once and written down before it is done. Pure. */

import type { ParkedEntry } from "../event-log/dead-letter.ts";
import { partitionOf } from "../event-log/partition-of.ts";
import { dayOf, daysMax } from "./split-by-days.ts";
import type { UsageEntry } from "./usage-codec.ts";

/** Plans of before had neither version nor shard: all rows were in one place, which is the first shard since. */
export interface Plan {
  readonly version: 2;
  /** Name of the shard that all rows of the batch go to, and that a repeat goes to, whatever shards there are by then. */
  readonly shard: string;
  /** Deduplication token of the insert, unique per log and range. */
  readonly token: string;
  /** First and last offset of the usage log, both included. */
  readonly from: number;
  readonly to: number;
  /** Unix milliseconds; a plan older than the store's deduplication window is looked up before it is repeated. */
  readonly plannedAtMs: number;
}

/**
 * A plan as it was saved, by this version or an earlier one.
 * @throws Error for one of a later version, which may mean what this one does not know.
 */
export function savedPlan(saved: Plan | Omit<Plan, "version" | "shard">, firstShard: string): Plan {
  if (!("version" in saved)) return { ...saved, version: 2, shard: firstShard };
  if (saved.version === 2) return saved;
  throw new Error(
    `the batch ${(saved as Plan).token} was planned by a newer Burnwatch (plan version ${(saved as Plan).version}, this one knows 2): start the newer version`,
  );
}

/**
 * All shards in the order in which a batch tries them: the one of its hash, then those that follow it. The hash is FNV-1a
 * (`partitionOf`) of log, partition and first offset, modulo the number of shards.
 * @param logId names log and partition.
 */
export function shardOrder(shards: readonly string[], logId: string, from: number): readonly string[] {
  const first = partitionOf(`${logId}-${from}`, shards.length);
  return [...shards.slice(first), ...shards.slice(0, first)];
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
