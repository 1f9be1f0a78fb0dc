/** The records of a window whose price is no longer what the lists say. Reads; decides; writes nothing. */

import { identityKey } from "../event-log/usage-log.ts";
import { ratesOfTag } from "../model/price-tag.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import type { PriceBook } from "../pricing/price-book.ts";
import { priceCall } from "../pricing/price-call.ts";
import type { Store } from "../store/store.ts";
import { recordOfRow, type StoredRow, storedColumns } from "../store/stored-row.ts";
import { type RepriceRange, rangeSql } from "./reprice-range.ts";

/** A record as it is stored, and as it is priced today. */
export interface PriceCorrection {
  readonly previous: UsageRecord;
  readonly corrected: UsageRecord;
}

export interface WindowPrices {
  /** Records of the window that are billed, corrections taken into account. */
  readonly calls: number;
  readonly corrections: readonly PriceCorrection[];
}

/** Prices a window anew. @param owns which of its records; all, where it is left out. */
export async function priceWindow(
  window: RepriceRange,
  store: Store,
  prices: PriceBook,
  owns: (record: UsageRecord) => boolean = () => true,
): Promise<WindowPrices> {
  const { sql, params } = rangeSql(window);
  const rows = await store.query<StoredRow>(`SELECT ${storedColumns} FROM usage_records WHERE ${sql}`, { params });
  const current = standing(rows.map(recordOfRow).filter(owns));
  const corrections = current.flatMap((previous) => {
    const corrected = { ...previous, ...priceCall(previous, prices) };
    if (isPricedAlike(previous, corrected)) return [];
    const { revision, repricings } = previous;
    return [{ previous, corrected: { ...corrected, revision: revision + 1, repricings: repricings + 1 } }];
  });
  return { calls: current.length, corrections };
}

/** Of each identity the newest revision, unless what is newest takes the record back: then it stands elsewhere. */
function standing(records: readonly UsageRecord[]): readonly UsageRecord[] {
  const newest = new Map<string, number>();
  for (const record of records) {
    const key = identityKey(record);
    newest.set(key, Math.max(newest.get(key) ?? 0, record.revision));
  }
  return records.filter((record) => record.calls > 0 && record.revision === newest.get(identityKey(record)));
}

/** Another version of a list that says the same is no reason for a correction. */
function isPricedAlike(left: UsageRecord, right: UsageRecord): boolean {
  return (
    left.costNanoUsd === right.costNanoUsd &&
    left.costStatus === right.costStatus &&
    left.costCarry === right.costCarry &&
    ratesOfTag(left.priceTag) === ratesOfTag(right.priceTag)
  );
}
