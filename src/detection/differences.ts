/** Corrections as the difference they make: a record that is taken back and put right at once is no new call. */

import { addUsage } from "../model/usage.ts";
import type { UsageRecord } from "../model/usage-record.ts";

/** The records of an entry in their order; a pair that corrects one record becomes what it changes, with 0 calls. */
export function differences(records: readonly UsageRecord[]): readonly UsageRecord[] {
  if (!records.some(({ calls, revision }) => calls < 0 && revision > 0)) return records;
  const out: UsageRecord[] = [];
  for (let index = 0; index < records.length; index++) {
    const record = records[index] as UsageRecord;
    const next = records[index + 1];
    if (next !== undefined && corrects(next, record)) {
      out.push(difference(record, next));
      index++;
    } else out.push(record);
  }
  return out;
}

function corrects(corrected: UsageRecord, takenBack: UsageRecord): boolean {
  return (
    takenBack.calls < 0 &&
    corrected.calls > 0 &&
    corrected.spanId === takenBack.spanId &&
    corrected.traceId === takenBack.traceId &&
    corrected.tenant === takenBack.tenant
  );
}

function difference(takenBack: UsageRecord, corrected: UsageRecord): UsageRecord {
  return {
    ...corrected,
    calls: 0,
    costNanoUsd: (corrected.costNanoUsd ?? 0) + (takenBack.costNanoUsd ?? 0),
    usage: addUsage(corrected.usage, takenBack.usage),
  };
}
