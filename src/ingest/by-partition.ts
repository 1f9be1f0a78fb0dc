/** Which partition of the usage log a record belongs to. */

import { partitionOf } from "../event-log/partition-of.ts";
import type { UsageRecord } from "../model/usage-record.ts";

/** Records that are judged together stand together: of one tenant and feature. The records keep their order. */
export function byPartition(
  records: readonly UsageRecord[],
  partitions: number,
): readonly { readonly partition: number; readonly records: readonly UsageRecord[] }[] {
  if (partitions === 1) return records.length === 0 ? [] : [{ partition: 0, records }];
  const groups = Map.groupBy(records, ({ tenant, feature }) => partitionOf(`${tenant}\0${feature}`, partitions));
  return Array.from(groups, ([partition, of]) => ({ partition, records: of }));
}
