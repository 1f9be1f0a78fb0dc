/**
 * Wrappers around billed spans whose chain of parents leaves what is known: spans that are no LLM operation are not kept,
 * so that what stands around such a leaf is told by time and model alone.
 */

import type { SeenSpan } from "../event-log/usage-log.ts";
import { isSameCall, isSum, toleranceUs } from "./same-call.ts";

/** Wrappers looked at for one leaf, those that began last before it. */
const wrappersMax = 256;

/**
 * Marks the sums that have a leaf within their time, and for each leaf one span of its model around it: the one that tells
 * of the same call, else the shortest. The others belong to calls beside it.
 */
export function dropAroundAdrift(leaves: readonly SeenSpan[], wrappers: readonly SeenSpan[], out: Set<string>): void {
  if (leaves.length === 0 || wrappers.length === 0) return;
  const sums = wrappers.filter(isSum);
  if (sums.length > 0) dropSums(leaves, sums, out);
  const models = Map.groupBy(
    wrappers.filter((wrapper) => !isSum(wrapper)),
    ({ modelHash }) => modelHash,
  );
  for (const group of models.values()) group.sort(byStart);
  for (const leaf of leaves) {
    const closest = closestAround(leaf, models.get(leaf.modelHash) ?? []);
    if (closest !== undefined) out.add(closest.spanId);
  }
}

function dropSums(leaves: readonly SeenSpan[], sums: readonly SeenSpan[], out: Set<string>): void {
  const sorted = leaves.toSorted(byStart);
  /** Of the leaves from here on, the one that ends first. */
  const firstEndUs = sorted.map(({ endUs }) => endUs);
  for (let index = firstEndUs.length - 2; index >= 0; index--)
    firstEndUs[index] = Math.min(firstEndUs[index] ?? 0, firstEndUs[index + 1] ?? 0);
  for (const sum of sums) {
    const from = countStartingBefore(sorted, sum.startUs - toleranceUs);
    if ((firstEndUs[from] ?? Number.POSITIVE_INFINITY) <= sum.endUs + toleranceUs) out.add(sum.spanId);
  }
}

/** Of `wrappers`, by start, the one around the leaf. */
function closestAround(leaf: SeenSpan, wrappers: readonly SeenSpan[]): SeenSpan | undefined {
  const end = countStartingBefore(wrappers, leaf.startUs + toleranceUs + 1);
  let closest: SeenSpan | undefined;
  let sameCall = false;
  for (let index = end - 1; index >= Math.max(0, end - wrappersMax); index--) {
    const wrapper = wrappers[index];
    if (wrapper === undefined || wrapper.endUs < leaf.endUs - toleranceUs) continue;
    const same = isSameCall(leaf, wrapper);
    if (closest !== undefined && (same === sameCall ? durationUs(wrapper) >= durationUs(closest) : sameCall)) continue;
    closest = wrapper;
    sameCall = same;
  }
  return closest;
}

function countStartingBefore(sorted: readonly SeenSpan[], us: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle]?.startUs ?? 0) < us) low = middle + 1;
    else high = middle;
  }
  return low;
}

function byStart(a: SeenSpan, b: SeenSpan): number {
  return a.startUs - b.startUs || (a.spanId < b.spanId ? -1 : 1);
}

function durationUs({ startUs, endUs }: SeenSpan): number {
  return endUs - startUs;
}
