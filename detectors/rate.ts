/**
 * The rise of a rate: how often a call is an error, is cut off, misses the cache. The pure core of D2.
 *
 * A Shiryaev-Roberts e-detector over likelihood ratios of Bernoulli trials: `e = (p1/p0)^x ((1-p1)/(1-p0))^(1-x)` for a
 * grid of p1, against p0, the upper limit of what the rate may be by the calls before. So each bet pays at most 1 on
 * average as long as the rate has not passed that limit, and false alarms are bounded as those of shifts are.
 */

import { addExemplar } from "./exemplars.ts";

export type RateSettings = {
  /** Calls before evidence is gathered. */
  readonly referenceMin: number;
  readonly halfLifeDays: number;
  /** The rate is forgiven this factor, and this much in all, beyond its upper limit. */
  readonly forgivenFactor: number;
  readonly forgivenShare: number;
  readonly newNormalCalls: number;
  readonly newNormalHours: number;
};

export const defaultRate: RateSettings = {
  referenceMin: 50,
  halfLifeDays: 7,
  forgivenFactor: 1.25,
  forgivenShare: 0.01,
  newNormalCalls: 2000,
  newNormalHours: 24,
};

/** Plain data. */
export interface RateState {
  calls: number;
  hits: number;
  fadedMs: number;
  /** Upper limit of the rate, and after how many calls it is reckoned anew. */
  limit: number;
  limitAge: number;
  readonly wealth: [number, number, number, number, number];
  cusum: number;
  onsetMs: number;
  seenCalls: number;
  seenHits: number;
  seenNanoUsd: number;
  readonly traceIds: string[];
  alarm: {
    readonly evidence: number;
    readonly onsetMs: number;
    calls: number;
    quiet: number;
    readonly recovery: number;
  } | null;
}

export interface Trial {
  readonly hit: boolean;
  readonly atMs: number;
  /** What a hit costs beyond a miss, as far as is known. */
  readonly nanoUsd: number;
  readonly traceId: string;
}

export interface RateVerdict {
  readonly status: "firing" | "resolved";
  readonly onsetMs: number;
  readonly evidence: number;
  readonly observed: number;
  readonly expected: number;
  readonly limit: number;
  readonly calls: number;
  readonly referenceSize: number;
  readonly impactNanoUsd: number;
  readonly traceIds: readonly string[];
  readonly newNormal: boolean;
}

/** Rates to bet on: multiples of p0, and misses divided. */
const timesHits = [1.5, 4, 16] as const;
const missesOver = [1.5, 3] as const;
const bets = timesHits.length + missesOver.length;
/** 99.9 % one-sided. */
const z = 3.09;
const limitAgeMax = 16;
/** Calls of a rise wait up to this share of the reference, which is no normal any more without more of what is seen. */
const waitingShareMax = 0.25;
const wealthMax = 1e30;
const stillUp = 50;
/** Exemplars are kept from this CUSUM on: what an alarm asks for beyond it takes more hits than there are exemplars. */
const risingFrom = 4;
const recoveryFactor = 3;
const recoveryCallsMin = 50;
const hourMs = 3_600_000;
const fadeSteps = 32;

/** A rate before its first call. */
export function newRate(): RateState {
  return {
    calls: 0,
    hits: 0,
    fadedMs: 0,
    limit: 1,
    limitAge: 0,
    wealth: [0, 0, 0, 0, 0],
    cusum: 0,
    onsetMs: 0,
    seenCalls: 0,
    seenHits: 0,
    seenNanoUsd: 0,
    traceIds: [],
    alarm: null,
  };
}

/** Takes one call. @returns what it decides, nearly always nothing. */
export function addTrial(state: RateState, trial: Trial, alarmAt: number, settings: RateSettings): RateVerdict | null {
  if (state.alarm !== null) return follow(state, state.alarm, trial, settings);
  fadeUntil(state, trial.atMs, settings);
  if (state.calls >= settings.referenceMin) {
    if (state.limitAge-- <= 0) refreshLimit(state, settings);
    const evidence = stake(state, trial.hit);
    dateChange(state, trial);
    if (evidence >= alarmAt && state.seenCalls > 0) return begin(state, evidence);
  }
  state.calls++;
  if (trial.hit) state.hits++;
  return null;
}

/** What is to be said of an alarm by now; null without one. */
export function standingRate(state: RateState): RateVerdict | null {
  return state.alarm === null ? null : { ...verdictOf(state, "firing", false), onsetMs: state.alarm.onsetMs };
}

/** Ends an alarm that no call has ended for as long as would make it the new normal. */
export function passRateTime(state: RateState, nowMs: number, settings: RateSettings): RateVerdict | null {
  if (state.alarm === null || nowMs - state.alarm.onsetMs < settings.newNormalHours * hourMs) return null;
  return end(state, state.alarm, true);
}

/** What is seen is taken to be normal. */
export function acceptRate(state: RateState): void {
  Object.assign(state, newRate());
}

/**
 * The upper limit of the rate, and what is forgiven beyond it: Wilson's, or that of a Poisson count (by Wilson and Hilferty's
 * cube root), which is closer where hits are few. Calls since the evidence began to rise wait, so that a new rate does not
 * teach the limit to forgive it.
 */
function refreshLimit(state: RateState, settings: RateSettings): void {
  const waits = state.seenCalls > 0 && state.seenCalls <= waitingShareMax * state.calls;
  const calls = state.calls - (waits ? state.seenCalls : 0);
  const hits = Math.max(0, state.hits - (waits ? state.seenHits : 0));
  const rate = (hits + (z * z) / 2) / (calls + z * z);
  const wilson = rate + z * Math.sqrt((rate * (1 - rate)) / (calls + z * z));
  const poisson = ((hits + 1) * (1 - 1 / (9 * (hits + 1)) + z / (3 * Math.sqrt(hits + 1))) ** 3) / calls;
  const upper = Math.min(wilson, poisson);
  state.limit = Math.min(0.999, settings.forgivenFactor * upper + settings.forgivenShare);
  state.limitAge = limitAgeMax;
}

function stake(state: RateState, hit: boolean): number {
  const p0 = state.limit;
  let [evidence, paid] = [0, 0];
  for (let i = 0; i < bets; i++) {
    const times = timesHits[i];
    const p1 =
      times === undefined ? 1 - (1 - p0) / (missesOver[i - timesHits.length] ?? 1) : Math.min(0.999, p0 * times);
    const e = hit ? p1 / p0 : (1 - p1) / (1 - p0);
    const w = Math.min(wealthMax, ((state.wealth[i] ?? 0) + 1) * e);
    state.wealth[i] = w;
    evidence += w;
    paid += e;
  }
  state.cusum = Math.min(wealthMax, Math.max(1, state.cusum) * (paid / bets));
  return evidence / bets;
}

/** What is seen counts from the call after which the bets have only gained. */
function dateChange(state: RateState, trial: Trial): void {
  if (state.cusum <= 1) {
    state.seenCalls = 0;
    if (state.traceIds.length > 0) state.traceIds.length = 0;
    return;
  }
  if (state.seenCalls === 0) {
    state.onsetMs = trial.atMs;
    state.seenHits = 0;
    state.seenNanoUsd = 0;
  }
  see(state, trial);
}

function see(state: RateState, trial: Trial): void {
  state.seenCalls++;
  if (!trial.hit) return;
  state.seenHits++;
  state.seenNanoUsd += trial.nanoUsd;
  if (state.cusum >= risingFrom || state.alarm !== null) addExemplar(state.traceIds, trial.traceId);
}

function begin(state: RateState, evidence: number): RateVerdict {
  // The calls of the rise had entered the reference one by one; they are the alarm's.
  state.calls = Math.max(0, state.calls - state.seenCalls + 1);
  state.hits = Math.max(0, Math.min(state.calls, state.hits - state.seenHits));
  const recovery = Math.max(recoveryCallsMin, recoveryFactor * state.seenCalls);
  state.alarm = { evidence, onsetMs: state.onsetMs, calls: 0, quiet: 0, recovery };
  state.wealth.fill(0);
  return verdictOf(state, "firing", false);
}

function follow(
  state: RateState,
  alarm: NonNullable<RateState["alarm"]>,
  trial: Trial,
  settings: RateSettings,
): RateVerdict | null {
  alarm.calls++;
  see(state, trial);
  if (stake(state, trial.hit) >= stillUp) {
    state.wealth.fill(0);
    alarm.quiet = 0;
  } else if (++alarm.quiet >= alarm.recovery) return end(state, alarm, false);
  const lasts =
    trial.atMs - alarm.onsetMs >= settings.newNormalHours * hourMs && alarm.calls >= settings.newNormalCalls;
  return lasts ? end(state, alarm, true) : null;
}

function end(state: RateState, alarm: NonNullable<RateState["alarm"]>, newNormal: boolean): RateVerdict {
  const verdict = { ...verdictOf(state, "resolved", newNormal), onsetMs: alarm.onsetMs };
  if (newNormal) acceptRate(state);
  else Object.assign(state, { wealth: [0, 0, 0, 0, 0], cusum: 0, seenCalls: 0, traceIds: [], alarm: null });
  return verdict;
}

function verdictOf(state: RateState, status: RateVerdict["status"], newNormal: boolean): RateVerdict {
  const expected = state.calls > 0 ? state.hits / state.calls : 0;
  const share = state.seenHits > 0 ? 1 - Math.min(1, (expected * state.seenCalls) / state.seenHits) : 0;
  return {
    status,
    onsetMs: state.onsetMs,
    evidence: state.alarm?.evidence ?? 0,
    observed: state.seenCalls > 0 ? state.seenHits / state.seenCalls : 0,
    expected,
    limit: state.limit,
    calls: state.seenCalls,
    referenceSize: state.calls,
    impactNanoUsd: state.seenNanoUsd * share,
    traceIds: [...state.traceIds],
    newNormal,
  };
}

function fadeUntil(state: RateState, atMs: number, settings: RateSettings): void {
  if (state.fadedMs === 0) state.fadedMs = atMs;
  const passed = (atMs - state.fadedMs) / (24 * hourMs * settings.halfLifeDays);
  if (passed < 1 / fadeSteps) return;
  state.calls *= 2 ** -passed;
  state.hits *= 2 ** -passed;
  state.fadedMs = atMs;
}
