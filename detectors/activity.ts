/** What usually happens in a minute and what happens now: calls, tokens, dollars and models. Which of them moved is the first question on call. */

import type { Observation } from "./detector.ts";

interface Activity {
  calls: number;
  tokens: number;
  nanoUsd: number;
  /** Nano-dollars by model, at most eight of them. */
  models: Record<string, number>;
  /** Seconds of the minute that its records reach into; 60 once it is over. */
  seconds: number;
}

type Totals = Pick<Activity, "calls" | "tokens" | "nanoUsd">;

export interface ActivityState {
  /** The minute that `current` is of; -1 before the first. */
  minute: number;
  current: Activity;
  /** The minute before, once it is over. */
  last: Activity;
  /** Exponentially weighted means of calm minutes. */
  usual: Totals;
  calmMinutes: number;
}

const minuteMs = 60_000;
const modelsMax = 8;
/** Weight of the newest minute: about a half-hour memory. */
const newestWeight = 1 / 20;

/** Before the first record. */
export function newActivity(): ActivityState {
  return {
    minute: -1,
    current: nothing(),
    last: nothing(),
    usual: { calls: 0, tokens: 0, nanoUsd: 0 },
    calmMinutes: 0,
  };
}

/** Counts one record in its minute; a late one is not counted. `learns` says that the minutes so far were calm. */
export function noteActivity(state: ActivityState, observation: Observation, learns: boolean): void {
  const minute = Math.floor(observation.atMs / minuteMs);
  if (minute > state.minute) passMinute(state, minute, learns);
  if (minute !== state.minute) return;
  const { current } = state;
  const nanoUsd = observation.nanoUsd ?? 0;
  const { model } = observation.record;
  current.calls += observation.calls;
  current.tokens += observation.inputTokens + observation.outputTokens;
  current.nanoUsd += nanoUsd;
  current.seconds = Math.max(current.seconds, (observation.atMs % minuteMs) / 1000);
  const known = current.models[model];
  if (known === undefined && Object.keys(current.models).length >= modelsMax) return;
  current.models[model] = (known ?? 0) + nanoUsd;
}

/** Turns to `minute` when it is later than the one at hand. */
export function passMinute(state: ActivityState, minute: number, learns: boolean): void {
  if (minute <= state.minute) return;
  if (state.minute !== -1 && learns) {
    const weight = Math.max(newestWeight, 1 / ++state.calmMinutes);
    for (const measure of ["calls", "tokens", "nanoUsd"] as const) {
      state.usual[measure] += weight * (state.current[measure] - state.usual[measure]);
    }
  }
  state.last = { ...state.current, seconds: 60 };
  state.minute = minute;
  state.current = nothing();
}

/** Volume, size and price of `minute`, each beside its usual. */
export function activityEvidence(state: ActivityState, minute: number): Record<string, string | number> {
  const decisive = minute === state.minute ? state.current : state.last;
  return {
    calls_per_minute: round((decisive.calls * 60) / Math.max(decisive.seconds, 1)),
    usual_calls_per_minute: round(state.usual.calls),
    tokens_per_call: round(perCall(decisive, "tokens")),
    usual_tokens_per_call: round(perCall(state.usual, "tokens")),
    nano_usd_per_call: Math.round(perCall(decisive, "nanoUsd")),
    usual_nano_usd_per_call: Math.round(perCall(state.usual, "nanoUsd")),
    top_model: topModel(decisive.models),
  };
}

function nothing(): Activity {
  return { calls: 0, tokens: 0, nanoUsd: 0, models: {}, seconds: 0 };
}

function perCall(activity: Totals, measure: "tokens" | "nanoUsd"): number {
  return activity.calls > 0 ? activity[measure] / activity.calls : 0;
}

function topModel(models: Readonly<Record<string, number>>): string {
  const [top] = Object.entries(models).sort(([, a], [, b]) => b - a);
  return top?.[0] ?? "";
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
