/** What one call costs and how sure that is: the same rules when it arrives and when history is re-priced. Pure. */

import { reportedTag } from "../model/price-tag.ts";
import { totalInput, totalOutput } from "../model/usage.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import { makersPriceFlag, providerAssumedFlag, tierUnpricedFlag } from "./bundled-list.ts";
import { listCost } from "./list-cost.ts";
import type { PriceBook } from "./price-book.ts";
import { pricesWithoutTokens } from "./rate-card.ts";

/** What a price depends on. */
export type PricedCall = Pick<
  UsageRecord,
  | "tenant"
  | "provider"
  | "model"
  | "operation"
  | "serviceTier"
  | "startUs"
  | "status"
  | "usage"
  | "modalities"
  | "images"
  | "audioMs"
  | "reportedNanoUsd"
  | "flags"
>;

export type CallPrice = Pick<UsageRecord, "costNanoUsd" | "costStatus" | "priceTag" | "costCarry" | "flags">;

/** The emitter's figure and ours differ by more than a twentieth. */
export const divergesFlag = "cost_diverges";
/** Flags of a dialect that say that the tokens are no exact counts of one call: the cost is an estimate. */
const estimateFlags: ReadonlySet<string> = new Set(["usage_estimated", "usage_aggregated", "token_split_unknown"]);

/** Sound, or pictures that were made, cost what text does for want of a rate of their own, and hardly anybody bills that. */
export const modalityUnpricedFlag = "modality_unpriced";
/** Pictures that are read do cost what text does with most providers. */
const dearer = ["audioInput", "audioCacheRead", "audioOutput", "imageOutput"] as const;

const ownFlags: ReadonlySet<string> = new Set([
  divergesFlag,
  tierUnpricedFlag,
  providerAssumedFlag,
  makersPriceFlag,
  modalityUnpricedFlag,
]);
const divergenceMax = 0.05;

/** Nobody bills these by the token. */
const unbilledOperations: ReadonlySet<string> = new Set(["execute_tool", "retrieval"]);

/** True for operations that somebody bills. */
export function isBilled(operation: UsageRecord["operation"]): boolean {
  return !unbilledOperations.has(operation);
}

/** The price of a call, with the flags of its record: those it came with, less the price's old ones, plus its new ones. */
export function priceCall(call: PricedCall, prices: PriceBook): CallPrice {
  const price = priceOf(call, prices);
  const diverged = diverges(price.costNanoUsd, call.reportedNanoUsd);
  const had = call.flags.some((flag) => ownFlags.has(flag));
  const { costNanoUsd, costStatus, priceTag, costCarry } = price;
  if (price.flags.length === 0 && !diverged && !had)
    return { costNanoUsd, costStatus, priceTag, costCarry, flags: call.flags };
  const kept = call.flags.filter((flag) => !ownFlags.has(flag));
  const flags = [...kept, ...price.flags, ...(diverged ? [divergesFlag] : [])];
  return { ...price, flags: [...new Set(flags)].sort() };
}

function priceOf(call: PricedCall, prices: PriceBook): CallPrice {
  if (!isBilled(call.operation)) return { ...unrated, costNanoUsd: 0, costStatus: "not_billable" };
  const { usage, modalities, images, audioMs, reportedNanoUsd } = call;
  const empty = totalInput(usage) + totalOutput(usage) === 0 && images === 0 && audioMs === 0;
  // Providers bill no failed call that reports no tokens; a success that reports none is unknown, not free.
  if (empty && call.status === "error") return { ...unrated, costNanoUsd: 0, costStatus: "no_usage" };
  const card = prices.find(call);
  if (card === null) {
    // A reported 0 is what emitters say of models that they do not know.
    if (reportedNanoUsd === null || reportedNanoUsd <= 0)
      return { ...unrated, costNanoUsd: null, costStatus: "unpriced_model" };
    return { ...unrated, costNanoUsd: reportedNanoUsd, costStatus: "reported", priceTag: reportedTag };
  }
  if (empty && !pricesWithoutTokens(card)) return { ...unrated, costNanoUsd: null, costStatus: "no_usage" };
  const { nanoUsd, tag, carry } = listCost({ usage, modalities, images, audioMs }, card);
  const unpriced = modalities !== null && dearer.some((name) => modalities[name] !== 0 && !card.ownRates.has(name));
  const costStatus = call.flags.some((flag) => estimateFlags.has(flag)) ? "estimated" : "priced";
  return {
    costNanoUsd: nanoUsd,
    costStatus,
    priceTag: tag,
    costCarry: carry,
    flags: unpriced ? [...card.flags, modalityUnpricedFlag] : card.flags,
  };
}

const unrated = { priceTag: "", costCarry: 0, flags: [] as readonly string[] };

function diverges(ours: number | null, reported: number | null): boolean {
  if (ours === null || reported === null) return false;
  return Math.abs(reported - ours) > divergenceMax * Math.max(ours, reported);
}
