/** Calls a minute, against their season: mean and spread over the recent minutes, closed one by one. The core of D4 and D9. */

import { type CellStore, giveBackCells } from "./cells.ts";
import { newSeason, noteSeason, type Season, seasonFactor } from "./season.ts";

/** Plain data. */
export interface MinuteCounts {
  /** The minute that is being counted; -1 before the first call. */
  minute: number;
  count: number;
  /** Fading mean and variance of deseasoned counts, over `minutes` of them. */
  mean: number;
  variance: number;
  minutes: number;
  lastMs: number;
  readonly season: Season;
}

const minuteMs = 60_000;
/** A memory of four hours: the season knows the rest. */
const newestWeight = 1 / 240;
/** Over a gap of more minutes nothing is learnt. */
const gapMinutesMax = 24 * 60;

/** Before the first call. */
export function newMinuteCounts(store: CellStore | null = null): MinuteCounts {
  return { minute: -1, count: 0, mean: 0, variance: 0, minutes: 0, lastMs: 0, season: newSeason(store) };
}

/** Gives back what they took from their store, also while their minutes are passed: they have none from then on. */
export function forgetMinuteCounts(state: MinuteCounts): void {
  giveBackCells(state.season);
  state.minute = Number.POSITIVE_INFINITY;
}

/** Whether a call at this time is the first after the minute that is being counted: then that one is to be passed. */
export function endsMinute({ minute }: MinuteCounts, atMs: number): boolean {
  return minute !== -1 && Math.floor(atMs / minuteMs) > minute;
}

/** Counts calls in the minute at hand; a later minute is to be passed to before. */
export function countCalls(state: MinuteCounts, atMs: number, calls: number): void {
  const minute = Math.floor(atMs / minuteMs);
  if (state.minute === -1) state.minute = minute;
  if (minute === state.minute) state.count += calls;
  if (atMs > state.lastMs) state.lastMs = atMs;
}

/** Closes the minutes before `minute`; `close` is told of each, oldest first, before it is learnt if it says so. */
export function passMinutes(
  state: MinuteCounts,
  minute: number,
  close: (count: number, minute: number) => boolean,
): void {
  if (state.minute === -1) return;
  if (minute - state.minute > gapMinutesMax) state.minute = minute - gapMinutesMax;
  while (state.minute < minute) {
    const isLearnt = close(state.count, state.minute);
    if (state.minute === Number.POSITIVE_INFINITY) return;
    if (isLearnt) learn(state);
    noteSeason(state.season, state.minute * minuteMs, state.count);
    state.minute++;
    state.count = 0;
  }
}

/** Calls that a minute usually has. */
export function usualCount(state: MinuteCounts, parent: MinuteCounts | null, minute: number): number {
  return state.mean * seasonFactor(state.season, parent?.season ?? null, minute * minuteMs);
}

/**
 * Size of the negative binomial with this mean and the spread that the series has: small for bursty traffic, large for
 * independent calls.
 */
export function dispersion({ mean, variance }: MinuteCounts, usual: number): number {
  // Overdispersion as a share of the squared mean carries over to other means of the season.
  const excess = mean > 0 ? Math.max(0, variance - mean) / (mean * mean) : 0;
  return Math.min(1e4, Math.max(1e-3, 1 / Math.max(excess, 1 / (100 * Math.max(usual, 0.01)))));
}

function learn(state: MinuteCounts): void {
  const factor = seasonFactor(state.season, null, state.minute * minuteMs);
  const count = state.count / factor;
  const weight = Math.max(newestWeight, 1 / ++state.minutes);
  const off = count - state.mean;
  state.mean += weight * off;
  state.variance = (1 - weight) * (state.variance + weight * off * off);
}
