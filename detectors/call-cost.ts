/** What a call has cost lately beside what it used to cost: whether a rise of spend is dearer calls, or more of them. */

/** Plain data: sums that fade, the newest ones within a minute, the recent ones within the hour, the usual ones within days. */
export interface CallCost {
  newestCalls: number;
  newestNanoUsd: number;
  recentCalls: number;
  recentNanoUsd: number;
  usualCalls: number;
  usualNanoUsd: number;
  firstMs: number;
  atMs: number;
  /** The minute at hand and what it has held so far, which an incident may turn out to be. Missing in older snapshots. */
  minute?: number;
  minuteCalls?: number;
  minuteNanoUsd?: number;
}

const minuteMs = 60_000;
const dayMs = 86_400_000;
const newestHalfLifeMs = minuteMs / 2;
const recentHalfLifeMs = 10 * minuteMs;
const usualHalfLifeMs = dayMs;
/** Days whose spend a sum with a half-life of a day holds in the end. */
const daysHeld = 1 / Math.LN2;
/** A series is taken to be at least so old, or its first hour would be multiplied to a day. */
const ageDaysMin = 1 / 8;

const doubtDeviations = 3;
/** Calls of one minute are often of one job and alike: more of them than this say no more about what calls cost. */
const minuteCallsMax = 30;

/** Before the first call. */
export function newCallCost(): CallCost {
  const none = { newestCalls: 0, newestNanoUsd: 0, recentCalls: 0, recentNanoUsd: 0, usualCalls: 0, usualNanoUsd: 0 };
  return { ...none, firstMs: 0, atMs: 0, minute: 0, minuteCalls: 0, minuteNanoUsd: 0 };
}

/**
 * Adds a call, the sum of some, or a correction of none; one without a price says nothing. A late one counts as of now. A
 * minute belongs to what is usual when the next one comes and `learns` says that no incident has begun: by then it is known
 * of a burst, and of a sum that holds all of it, what it is.
 */
export function noteCallCost(
  state: CallCost,
  { atMs, calls, nanoUsd }: { readonly atMs: number; readonly calls: number; readonly nanoUsd: number | null },
  learns: boolean,
): void {
  if (nanoUsd === null) return;
  if (state.firstMs === 0) Object.assign(state, { firstMs: atMs, atMs });
  const passedMs = Math.max(0, atMs - state.atMs);
  const left = (halfLifeMs: number) => 2 ** (-passedMs / halfLifeMs);
  const [newest, recent, usual] = [left(newestHalfLifeMs), left(recentHalfLifeMs), left(usualHalfLifeMs)];
  state.atMs += passedMs;
  state.newestCalls = state.newestCalls * newest + calls;
  state.newestNanoUsd = state.newestNanoUsd * newest + nanoUsd;
  state.recentCalls = state.recentCalls * recent + calls;
  state.recentNanoUsd = state.recentNanoUsd * recent + nanoUsd;
  const { minuteCalls = 0, minuteNanoUsd = 0 } = state;
  const minute = Math.floor(state.atMs / minuteMs);
  const isOver = minute !== state.minute;
  const isLearnt = isOver && learns;
  state.usualCalls = state.usualCalls * usual + (isLearnt ? minuteCalls : 0);
  state.usualNanoUsd = state.usualNanoUsd * usual + (isLearnt ? minuteNanoUsd : 0);
  state.minute = minute;
  state.minuteCalls = (isOver ? 0 : minuteCalls) + calls;
  state.minuteNanoUsd = (isOver ? 0 : minuteNanoUsd) + nanoUsd;
}

/** A rise of spend, and of how long a time it is. */
export interface SpendRise {
  readonly observed: number;
  readonly expected: number;
  readonly windowMs: number;
}

/**
 * Which share of a rise is calls that cost more than they did; the rest is more calls. 1 where nothing usual is known, 0
 * where calls have become cheaper.
 */
export function dearerShare(state: CallCost, { observed, expected, windowMs }: SpendRise): number {
  const { usualCalls, usualNanoUsd } = state;
  const isShort = windowMs <= minuteMs;
  const calls = isShort ? state.newestCalls : state.recentCalls;
  const nanoUsd = isShort ? state.newestNanoUsd : state.recentNanoUsd;
  if (!(usualCalls > 0 && calls > 0 && nanoUsd > 0) || observed <= expected) return 1;
  // What a few calls cost says little, now or as the usual: costs spread about as far as their mean, and three such
  // deviations of the ratio of both are taken off.
  const independent = isShort ? Math.min(calls, minuteCallsMax) : calls;
  const doubt = 1 + doubtDeviations * Math.sqrt(1 / independent + 1 / usualCalls);
  const usualOverNow = (usualNanoUsd / usualCalls / (nanoUsd / calls)) * doubt;
  return Math.min(1, Math.max(0, (observed * (1 - usualOverNow)) / (observed - expected)));
}

/** Nano-dollars of a usual day, from what its last days, or hours, were. */
export function usualDayNanoUsd({ usualNanoUsd, firstMs, atMs }: CallCost): number {
  const ageDays = Math.max(ageDaysMin, (atMs - firstMs) / dayMs);
  return usualNanoUsd / (daysHeld * (1 - 2 ** -ageDays));
}
