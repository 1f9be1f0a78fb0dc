/** D7: the cost of a call drifts upward day by day, too slowly for a baseline that learns from yesterday to mind. */

import { median } from "simple-statistics";
import type { CellStore } from "./cells.ts";
import { type Context, calm, type Detector, type Verdict } from "./detector.ts";
import { addBin, emptyHistogram, type Histogram, newHistogram, quantileOf } from "./histogram.ts";
import { binOf } from "./log-bins.ts";

type DriftSettings = {
  readonly callsPerDayMin: number;
  readonly daysMin: number;
  /** Mann-Kendall z that days in a random order would reach once in thirty thousand. */
  readonly trendMin: number;
  /** Rise from the first week to the last that is worth a word. */
  readonly ratioMin: number;
};

interface DriftState {
  day: number;
  readonly open: Histogram;
  nanoUsd: number;
  /** Median cost of a call in 100 nano-dollars, by day, oldest first. */
  medians: number[];
  lastDay: number;
  firing: boolean;
  onsetMs: number;
}

const dayMs = 86_400_000;
const daysMax = 28;
const weekDays = 7;
const nanoUsdPerStep = 100;

export const slowDrift: Detector<DriftState, DriftSettings> = {
  id: "D7",
  name: "slow-drift",
  summary: "what a call of a feature costs creeps up over weeks",
  method:
    "Mann-Kendall trend over the medians of up to 28 days, and the last week against the first: a reference that lags does not get used to the drift.",
  kinds: ["call_cost_drift"],
  scopes: ["feature"],
  mode: "ticket",
  settings: { callsPerDayMin: 50, daysMin: 14, trendMin: 4, ratioMin: 1.15 },
  stateBytesMax: 4096,
  newState: newDrift,
  forget: ({ open }) => emptyHistogram(open),
  observe(state, { calls, failed, nanoUsd, atMs }, context) {
    if (calls !== 1 || failed || nanoUsd === null) return calm;
    const day = Math.floor(atMs / dayMs);
    const verdicts = day > state.day ? closeDay(state, day, atMs, context) : calm;
    if (day === state.day) {
      addBin(state.open, binOf(nanoUsd / nanoUsdPerStep));
      state.nanoUsd += nanoUsd;
    }
    return verdicts;
  },
  tick(state, nowMs, context) {
    const day = Math.floor(nowMs / dayMs);
    return state.day !== -1 && day > state.day ? closeDay(state, day, nowMs, context) : calm;
  },
  acknowledge(state) {
    const { store } = state.open;
    emptyHistogram(state.open);
    Object.assign(state, newDrift(store));
  },
};

function newDrift(store?: CellStore | null): DriftState {
  return { day: -1, open: newHistogram(store), nanoUsd: 0, medians: [], lastDay: -1, firing: false, onsetMs: 0 };
}

function closeDay(
  state: DriftState,
  day: number,
  atMs: number,
  { settings }: Context<DriftSettings>,
): readonly Verdict[] {
  const { nanoUsd, day: closed } = state;
  const calls = state.open.total;
  const medianCost = quantileOf(state.open, 0.5);
  emptyHistogram(state.open);
  state.nanoUsd = 0;
  state.day = day;
  // A weekend without calls is no trend.
  if (closed === -1 || calls < settings.callsPerDayMin) return calm;
  state.medians = [...state.medians, medianCost].slice(-daysMax);
  state.lastDay = closed;
  if (state.medians.length < settings.daysMin) return calm;
  const [first, last] = [median(state.medians.slice(0, weekDays)), median(state.medians.slice(-weekDays))];
  const trend = mannKendall(state.medians);
  const drifts = trend >= settings.trendMin && last >= settings.ratioMin * first;
  // Once told, it lasts until the trend is gone: days at the new level end it by themselves.
  const firing = drifts || (state.firing && trend >= settings.trendMin / 2);
  if (firing === state.firing) return calm;
  state.firing = firing;
  if (firing) state.onsetMs = (closed - state.medians.length + 1) * dayMs;
  const excess = first > 0 ? Math.max(0, 1 - first / Math.max(last, 1)) * nanoUsd : 0;
  const ratio = first > 0 ? last / first : 1;
  return [
    {
      kind: "call_cost_drift",
      status: firing ? "firing" : "resolved",
      atMs: Math.round(atMs),
      onsetMs: Math.min(Math.round(atMs), state.onsetMs),
      unit: "nano_usd_per_call",
      observed: last * nanoUsdPerStep,
      expected: first * nanoUsdPerStep,
      direction: "up",
      effect: `calls have become ${ratio.toFixed(2)}x dearer over ${state.medians.length} days`,
      confidence: Math.max(0, 1 - Math.exp((-trend * trend) / 2)),
      impactNanoUsd: Math.round(excess),
      impactNanoUsdPerHour: Math.round(excess / 24),
      traceIds: [],
      evidence: { trend: Math.round(trend * 100) / 100, days: state.medians.length },
    },
  ];
}

/** Mann-Kendall z: pairs of days in rising order minus those in falling order, over its standard deviation without a trend. */
function mannKendall(values: readonly number[]): number {
  const n = values.length;
  let sum = 0;
  for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) sum += Math.sign((values[j] ?? 0) - (values[i] ?? 0));
  return sum / Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18);
}
