/** Which partition of the usage log a record belongs to. */

import { partitionOf } from "../event-log/partition-of.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import { NameIndex } from "../pricing/name-index.ts";

/** Partitions of tenants and features, for one number of partitions at a time. */
const rememberedMax = 16_384;
let known = new NameIndex<number>(rememberedMax);
let knownOf = 0;

/** Records that are judged together stand together: of one tenant and feature. The records keep their order. */
export function byPartition(
  records: readonly UsageRecord[],
  partitions: number,
): readonly { readonly partition: number; readonly records: readonly UsageRecord[] }[] {
  if (partitions === 1) return records.length === 0 ? [] : [{ partition: 0, records }];
  const groups = Map.groupBy(records, (record) => partitionOfRecord(record, partitions));
  return Array.from(groups, ([partition, of]) => ({ partition, records: of }));
}

function partitionOfRecord({ tenant, feature }: UsageRecord, partitions: number): number {
  if (knownOf !== partitions) {
    known = new NameIndex(rememberedMax);
    knownOf = partitions;
  }
  const before = known.get(tenant, feature);
  if (before !== undefined) return before;
  const partition = partitionOf(`${tenant}\0${feature}`, partitions);
  known.set(tenant, feature, partition);
  return partition;
}
