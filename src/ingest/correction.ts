/**
 * Corrections: what was stored stays, and two records are added. The first takes the old one back with every amount
 * negated, the second says what is right; both carry the higher revision, so that plain sums are right for anyone.
 */

import type { UsageRecord } from "../model/usage-record.ts";

/** The pair that turns `previous` into `corrected`, to be stored in this order. */
export function correctionOf(previous: UsageRecord, corrected: UsageRecord): readonly [UsageRecord, UsageRecord] {
  return [takenBack(previous, corrected.revision), corrected];
}

/** The record that takes back what `record` added to every sum. */
export function takenBack(record: UsageRecord, revision: number): UsageRecord {
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
    calls: record.calls === 0 ? 0 : -1,
    costNanoUsd: record.costNanoUsd === null ? null : negated(record.costNanoUsd),
    reportedNanoUsd: record.reportedNanoUsd === null ? null : negated(record.reportedNanoUsd),
    revision,
  };
}

/** 0 stays 0: a negative zero would print as "-0". */
function negated(value: number): number {
  return value === 0 ? 0 : -value;
}
