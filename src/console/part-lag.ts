/** How far the parts of a cluster are behind, in records and in seconds. */

import { decodeClaims } from "../detection/fold-claims.ts";
import { findUnread, groupLag, type PartitionLag } from "../event-log/group-lag.ts";
import type { KafkaClient } from "../event-log/kafka-client.ts";
import { groupsOf, type KafkaGroup } from "../event-log/kafka-topics.ts";
import { CorruptEntry, OtherVersionEntry } from "../event-log/unreadable-entry.ts";
import { arrivedAtMsOf } from "../ingest/entry-bytes.ts";
import { decodeUsageEntry } from "../ingest/usage-codec.ts";

const headBytes = 13;
/** Longer than any log is kept. */
const ageSecondsMax = 60 * 86_400;

export interface PartLag extends PartitionLag, Pick<KafkaGroup, "name" | "group" | "topic"> {
  /** Age of the first entry with anything in it that was not read; 0 where there is none, null where it does not tell. */
  readonly seconds: number | null;
}

/** Of each part and partition, in the order in which parts feed each other. @param nowMs the clock of who asks. */
export async function partLags(client: KafkaClient, prefix: string, nowMs: number): Promise<readonly PartLag[]> {
  const lags: PartLag[] = [];
  for (const { name, group, topic } of groupsOf({ prefix })) {
    for (const one of await groupLag(client, group, topic)) {
      const about = { ...one, name, group, topic };
      const arrivedAtMs = one.records === 0 ? undefined : await findUnread(client, topic, one, arrivalIn(name));
      // Nothing but ends of transactions, and entries that only tell the time.
      if (arrivedAtMs === undefined) lags.push({ ...about, records: 0, seconds: 0 });
      else lags.push({ ...about, seconds: ageSeconds(arrivedAtMs, nowMs) });
    }
  }
  return lags;
}

/** What stands there may be no entry of this log, and say anything. */
function ageSeconds(arrivedAtMs: number, nowMs: number): number | null {
  const seconds = (nowMs - arrivedAtMs) / 1000;
  return Math.abs(seconds) < ageSecondsMax ? Math.max(0, Math.round(seconds * 10) / 10) : null;
}

/** When an entry arrived, by the part that reads it; undefined for one that only tells the time. */
function arrivalIn(part: string): (entry: Uint8Array) => number | undefined {
  if (part === "alerter") return claimsArrival;
  // Numbers of producers have no time.
  if (part === "completeness") return () => Number.NaN;
  return part === "resolver" || part === "metrics" ? headArrival : usageArrival;
}

/** Logs say at the same place when an entry arrived. */
function headArrival(entry: Uint8Array): number {
  return entry.length < headBytes ? Number.NaN : arrivedAtMsOf(entry);
}

function usageArrival(entry: Uint8Array): number | undefined {
  try {
    const { arrivedAtMs, records, ...said } = decodeUsageEntry(entry);
    return records.length + Object.keys(said).length === 0 ? undefined : arrivedAtMs;
  } catch (error) {
    // Whoever reads it puts it aside, or waits for another version.
    if (error instanceof CorruptEntry || error instanceof OtherVersionEntry) return headArrival(entry);
    throw error;
  }
}

function claimsArrival(entry: Uint8Array): number | undefined {
  try {
    const { atMs, claims, accepted } = decodeClaims(entry);
    return claims.length === 0 && accepted === undefined ? undefined : atMs;
  } catch {
    return Number.NaN;
  }
}
