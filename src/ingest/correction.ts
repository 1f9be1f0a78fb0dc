/**
 * Corrections: what was stored stays, and two records are added. The first takes the old one back with every amount
 * negated, the second says what is right; both carry the higher revision, so that plain sums are right for anyone.
 */

import type { Modalities } from "../model/usage.ts";
import type { UsageRecord } from "../model/usage-record.ts";

/** The pair that turns `previous` into `corrected`, to be stored in this order. */
export function correctionOf(previous: UsageRecord, corrected: UsageRecord): readonly [UsageRecord, UsageRecord] {
  return [takenBack(previous, corrected), corrected];
}

/**
 * What an emitter's later word about a record makes of it, null where it is no later word. Re-pricings count on top of the
 * emitter's own revisions, so that neither hides the other.
 */
export function revised(previous: UsageRecord, record: UsageRecord): UsageRecord | null {
  if (record.revision <= previous.revision - previous.repricings) return null;
  const { repricings } = previous;
  return { ...record, revision: record.revision + repricings, repricings };
}

/** The record that takes back what `record` added to every sum. */
export function takenBack(
  record: UsageRecord,
  { revision, repricings }: Pick<UsageRecord, "revision" | "repricings">,
): UsageRecord {
  const { usage } = record;
  return {
    ...record,
    usage: {
      input: negated(usage.input),
      cacheRead: negated(usage.cacheRead),
      cacheWrite5m: negated(usage.cacheWrite5m),
      cacheWrite1h: negated(usage.cacheWrite1h),
      output: negated(usage.output),
      reasoning: negated(usage.reasoning),
    },
    modalities: record.modalities === null ? null : negatedModalities(record.modalities),
    images: negated(record.images),
    audioMs: negated(record.audioMs),
    calls: record.calls === 0 ? 0 : -1,
    costNanoUsd: record.costNanoUsd === null ? null : negated(record.costNanoUsd),
    reportedNanoUsd: record.reportedNanoUsd === null ? null : negated(record.reportedNanoUsd),
    revision,
    repricings,
  };
}

function negatedModalities(modalities: Modalities): Modalities {
  return {
    audioInput: negated(modalities.audioInput),
    audioCacheRead: negated(modalities.audioCacheRead),
    audioOutput: negated(modalities.audioOutput),
    imageInput: negated(modalities.imageInput),
    imageCacheRead: negated(modalities.imageCacheRead),
    imageOutput: negated(modalities.imageOutput),
  };
}

/** 0 stays 0: a negative zero would print as "-0". */
function negated(value: number): number {
  return value === 0 ? 0 : -value;
}
