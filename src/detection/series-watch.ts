/** One series under watch: the detector's state and what an alert needs to explain itself. Plain data throughout. */

import {
  addSpend,
  closeUntil,
  newSpendState,
  type SpendSettings,
  type SpendState,
  type SpendVerdict,
} from "../../detectors/spend-per-minute.ts";
import type { Finding, Series } from "../model/finding.ts";
import { totalInput, totalOutput } from "../model/usage.ts";
import type { UsageRecord } from "../model/usage-record.ts";

/** What happened in one minute, or usually happens. */
interface Activity {
  calls: number;
  tokens: number;
  nanoUsd: number;
  /** Nano-dollars by model, at most eight of them. */
  models: Record<string, number>;
  /** Seconds of the minute that its records reach into; 60 once it is over. */
  seconds: number;
}

export interface SeriesWatch {
  readonly series: Series;
  readonly spend: SpendState;
  /** Unix milliseconds of the log's clock when the last record came. */
  lastArrivalMs: number;
  /** The minute that `current` is of. */
  minute: number;
  current: Activity;
  /** The minute before, once it is over. */
  last: Activity;
  /** Exponentially weighted means of calm minutes. */
  usual: Pick<Activity, "calls" | "tokens" | "nanoUsd">;
  calmMinutes: number;
}

const minuteMs = 60_000;
const modelsMax = 8;
/** Weight of the newest minute: about a half-hour memory. */
const newestWeight = 1 / 20;

/** A series before its first record. */
export function newSeriesWatch(series: Series): SeriesWatch {
  return {
    series,
    spend: newSpendState(),
    lastArrivalMs: 0,
    minute: -1,
    current: nothing(),
    last: nothing(),
    usual: { calls: 0, tokens: 0, nanoUsd: 0 },
    calmMinutes: 0,
  };
}

/** Takes one priced record. @returns what the detector decided, if anything. */
export function watchRecord(
  watch: SeriesWatch,
  record: UsageRecord,
  arrivedAtMs: number,
  settings: SpendSettings,
): Finding | null {
  const nanoUsd = record.costNanoUsd ?? 0;
  const minute = Math.floor(record.endUs / 1000 / minuteMs);
  watch.lastArrivalMs = arrivedAtMs;
  if (minute > watch.minute) turnMinute(watch, minute);
  if (minute === watch.minute) note(watch.current, record, nanoUsd);
  return finding(watch, addSpend(watch.spend, minute, nanoUsd, settings), record.endUs / 1000);
}

/** Lets time pass for a series that has gone quiet: closes every minute before `nowMs`. */
export function watchClock(watch: SeriesWatch, nowMs: number, settings: SpendSettings): Finding | null {
  const minute = Math.floor(nowMs / minuteMs);
  if (minute > watch.minute) turnMinute(watch, minute);
  return finding(watch, closeUntil(watch.spend, minute, settings), nowMs);
}

function note(activity: Activity, record: UsageRecord, nanoUsd: number): void {
  activity.calls += record.calls;
  activity.tokens += totalInput(record.usage) + totalOutput(record.usage);
  activity.nanoUsd += nanoUsd;
  activity.seconds = Math.max(activity.seconds, ((record.endUs / 1000) % minuteMs) / 1000);
  const known = activity.models[record.model];
  if (known === undefined && Object.keys(activity.models).length >= modelsMax) return;
  activity.models[record.model] = (known ?? 0) + nanoUsd;
}

function nothing(): Activity {
  return { calls: 0, tokens: 0, nanoUsd: 0, models: {}, seconds: 0 };
}

function turnMinute(watch: SeriesWatch, minute: number): void {
  if (watch.minute !== -1 && watch.spend.incident === null) {
    const weight = Math.max(newestWeight, 1 / ++watch.calmMinutes);
    for (const measure of ["calls", "tokens", "nanoUsd"] as const) {
      watch.usual[measure] += weight * (watch.current[measure] - watch.usual[measure]);
    }
  }
  watch.last = { ...watch.current, seconds: 60 };
  watch.minute = minute;
  watch.current = nothing();
}

function finding(watch: SeriesWatch, verdict: SpendVerdict | null, atMs: number): Finding | null {
  if (verdict === null) return null;
  const decisive = verdict.minute === watch.minute ? watch.current : watch.last;
  return {
    detector: "spend-per-minute",
    kind: "spend_above_baseline",
    series: watch.series,
    severity: "page",
    status: verdict.status,
    atMs: Math.round(atMs),
    onsetMs: verdict.onsetMinute * minuteMs,
    observedNanoUsdPerMinute: Math.round(verdict.observed),
    expectedNanoUsdPerMinute: Math.round(verdict.expected),
    impactNanoUsd: Math.round(verdict.excess),
    evidence: {
      z: round(verdict.z),
      history_minutes: verdict.historyMinutes,
      test: verdict.test,
      calls_per_minute: round((decisive.calls * 60) / Math.max(decisive.seconds, 1)),
      usual_calls_per_minute: round(watch.usual.calls),
      tokens_per_call: round(perCall(decisive, "tokens")),
      usual_tokens_per_call: round(perCall(watch.usual, "tokens")),
      nano_usd_per_call: Math.round(perCall(decisive, "nanoUsd")),
      usual_nano_usd_per_call: Math.round(perCall(watch.usual, "nanoUsd")),
      top_model: topModel(decisive.models),
    },
  };
}

function perCall(activity: Pick<Activity, "calls" | "tokens" | "nanoUsd">, measure: "tokens" | "nanoUsd"): number {
  return activity.calls > 0 ? activity[measure] / activity.calls : 0;
}

function topModel(models: Readonly<Record<string, number>>): string {
  const [top] = Object.entries(models).sort(([, a], [, b]) => b - a);
  return top?.[0] ?? "";
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
