/**
 * From an alert budget to the evidence at which each series alarms. A series with N observations a week that may raise
 * F x w false alarms a week alarms at A = N / (F x w); the expected number of false alarms of all is then at most F,
 * whatever depends on what. The weights w add up to 1 and grow with the square root of what a series spends.
 */

import type { SeriesNode } from "./series-tree.ts";

export interface AlertBudget {
  /** False alarms a week that are accepted in all, of each loudness. */
  readonly pagesPerWeek: number;
  readonly ticketsPerWeek: number;
  /** No series alarms on less evidence, or asks for more. */
  readonly alarmAtMin: number;
  readonly alarmAtMax: number;
}

export const defaultBudget: AlertBudget = {
  pagesPerWeek: 0.1,
  ticketsPerWeek: 1,
  alarmAtMin: 1e5,
  alarmAtMax: 1e12,
};

const dayMs = 86_400_000;
const weekDays = 7;
/** Mean age of what a decayed count holds: half-life over ln 2. */
const memoryDays = 1 / Math.LN2;
/** A series is taken to be at least so old, or its first second would be multiplied to a week. */
const ageDaysMin = 1 / 24;

/** Square root of what a series spends; cents for those without a price, so that none weighs nothing. */
export function spendWeight(node: Pick<SeriesNode, "nanoUsd">): number {
  return Math.sqrt(Math.max(node.nanoUsd, 1e7));
}

/** Evidence at which one of `streams` tests on this series alarms, from `weightSum` over all series. */
export function alarmLevel(
  node: Pick<SeriesNode, "calls" | "nanoUsd" | "firstMs" | "latestMs">,
  { weightSum, streams, perWeek }: { readonly weightSum: number; readonly streams: number; readonly perWeek: number },
  budget: AlertBudget,
): number {
  const ageDays = Math.max(ageDaysMin, (node.latestMs - node.firstMs) / dayMs);
  const callsPerWeek = (weekDays * node.calls) / (memoryDays * (1 - Math.exp(-ageDays / memoryDays)));
  const weight = spendWeight(node);
  const share = weight / Math.max(weightSum, weight);
  const level = (callsPerWeek * streams) / (perWeek * share);
  return Math.min(budget.alarmAtMax, Math.max(budget.alarmAtMin, level));
}
