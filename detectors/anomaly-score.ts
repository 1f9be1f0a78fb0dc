/**
 * How anomalous each value of any series is, in [0, 1], from what came before it alone. A value is predicted by a fading
 * level and the hour of its day; its error, and the mean of the latest errors, are ranked among those of the past. So the
 * score is calibrated by the series itself: while nothing changes, a score above 0.99 comes once in a hundred values.
 */

import { addBin, fade, type Histogram, newHistogram, rankOf } from "./histogram.ts";
import { binOf } from "./log-bins.ts";

/** Plain data. */
export interface ScoreState {
  values: number;
  level: number;
  /** Fading mean of absolute errors. */
  spread: number;
  /** Fading mean of the latest errors: sees a shift that single values would be forgiven for. */
  recent: number;
  readonly ofHour: Float64Array;
  readonly visits: Uint16Array;
  readonly errors: Histogram;
}

const hourMs = 3_600_000;
/** Values that the level remembers, once it has seen as many. */
const levelMemory = 200;
const spreadMemory = 500;
const recentMemory = 6;
/** Errors fade to one half over so many values. */
const errorMemory = 5000;
const fadeEvery = 100;
/** Below so many values nothing is called anomalous, and below the first of them errors have no scale to be ranked on. */
const valuesMin = 50;
const scaledFrom = 20;
/** Errors are ranked in bins of this many to one spread. */
const binsPerSpread = 1000;
const visitsMax = 60_000;
/** Errors larger than this many spreads are all the same, or one would hide what comes after. */
const errorMax = 1e5;

/** A series before its first value. */
export function newScore(): ScoreState {
  return {
    values: 0,
    level: 0,
    spread: 0,
    recent: 0,
    ofHour: new Float64Array(24),
    visits: new Uint16Array(24),
    errors: newHistogram(),
  };
}

/** Scores a value and learns it. A value that is no finite number scores 0 and is not learnt. */
export function scoreValue(state: ScoreState, value: number, atMs: number): number {
  if (!Number.isFinite(value)) return 0;
  if (state.values === 0) state.level = value;
  const hour = Number.isFinite(atMs) ? ((Math.floor(atMs / hourMs) % 24) + 24) % 24 : 0;
  const visits = state.visits[hour] ?? 0;
  const season = ((state.ofHour[hour] ?? 0) * visits) / (visits + 20);
  const error = value - state.level - season;
  const scale = Math.max(state.spread, 1e-9 * Math.max(1, Math.abs(state.level)));
  const standard = Math.max(-errorMax, Math.min(errorMax, error / scale));
  const recent = state.recent + (standard - state.recent) / recentMemory;
  const strangeness = Math.max(Math.abs(standard), Math.abs(recent) * Math.sqrt(2 * recentMemory - 1));
  const bin = binOf(strangeness * binsPerSpread);
  // Ties count half: equal values are no anomaly.
  const rank = rankOf(state.errors, bin, 0.5);
  learn(state, { error, recent, hour, bin });
  return state.values <= valuesMin ? 0 : Math.max(0, Math.min(1, rank));
}

interface Learnt {
  readonly error: number;
  readonly recent: number;
  readonly hour: number;
  readonly bin: number;
}

/** Outliers move level and spread by no more than four spreads would. */
function learn(state: ScoreState, { error, recent, hour, bin }: Learnt): void {
  const n = ++state.values;
  const cut = state.spread > 0 ? Math.max(-4 * state.spread, Math.min(4 * state.spread, error)) : error;
  state.level += cut / Math.min(levelMemory, n);
  state.spread += (Math.abs(cut) - state.spread) / Math.min(spreadMemory, n);
  if (n > scaledFrom) state.recent = recent;
  const visits = Math.min(visitsMax, (state.visits[hour] ?? 0) + 1);
  state.visits[hour] = visits;
  state.ofHour[hour] =
    (state.ofHour[hour] ?? 0) + (cut - (state.ofHour[hour] ?? 0)) / Math.min(levelMemory, visits + 1);
  if (n > scaledFrom) addBin(state.errors, bin);
  if (n % fadeEvery === 0) fade(state.errors, 2 ** (-fadeEvery / errorMemory));
}
