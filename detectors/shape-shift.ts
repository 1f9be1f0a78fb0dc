/** D6: the shape of an hour differs from the hours before: any change of a distribution, up, down or apart. */

import { mean, standardDeviation } from "simple-statistics";
import type { CellStore } from "./cells.ts";
import { compare } from "./compare.ts";
import { type Context, calm, type Detector, type Observation, type Verdict } from "./detector.ts";
import { addBin, binsOf, emptyHistogram, fade, type Histogram, meanOf, newHistogram, quantileOf } from "./histogram.ts";
import { binOf } from "./log-bins.ts";

type ShapeSettings = {
  readonly callsPerHourMin: number;
  /** Hours of one's own that are known before an hour is judged. */
  readonly hoursMin: number;
  /** How many standard deviations of past hours the distance must be beyond their mean, in logarithms. */
  readonly deviations: number;
  /** Smallest move worth a word, as a factor of the typical value, and smallest Kolmogorov-Smirnov distance. */
  readonly factorMin: number;
  readonly ksMin: number;
  readonly halfLifeDays: number;
};

interface Shape {
  readonly open: Histogram;
  readonly usual: Histogram;
  /** Logarithms of how far each past hour was from those before it, oldest first. */
  distances: number[];
  firing: boolean;
  onsetMs: number;
}

interface ShapeState {
  hour: number;
  readonly input: Shape;
  readonly output: Shape;
}

const hourMs = 3_600_000;
const distancesMax = 72;
const subjects = { input: ["inputs are", "input_tokens"], output: ["answers are", "output_tokens"] } as const;

export const shapeShift: Detector<ShapeState, ShapeSettings> = {
  id: "D6",
  name: "shape-shift",
  summary: "an hour's token lengths are distributed unlike those of the hours before, in any direction",
  method:
    "At each full hour the G statistic against the fading histogram of past hours, compared with what past hours had: the score is calibrated by the series' own history. PSI, W1 and KS say how far.",
  kinds: ["input_tokens_shape", "output_tokens_shape"],
  scopes: ["feature"],
  mode: "ticket",
  settings: { callsPerHourMin: 100, hoursMin: 24, deviations: 6, factorMin: 1.2, ksMin: 0.15, halfLifeDays: 7 },
  stateBytesMax: 12_288,
  newState: (store) => ({ hour: -1, input: newShape(store), output: newShape(store) }),
  forget(state) {
    for (const shape of [state.input, state.output]) forgetShape(shape);
  },
  observe(state, observation, context) {
    if (observation.calls !== 1 || observation.failed) return calm;
    const hour = Math.floor(observation.atMs / hourMs);
    const verdicts = hour > state.hour ? closeHour(state, hour, observation.atMs, context) : calm;
    if (hour === state.hour) count(state, observation);
    return verdicts;
  },
  tick(state, nowMs, context) {
    const hour = Math.floor(nowMs / hourMs);
    return state.hour !== -1 && hour > state.hour ? closeHour(state, hour, nowMs, context) : calm;
  },
  acknowledge(state) {
    const { store } = state.input.open;
    for (const shape of [state.input, state.output]) forgetShape(shape);
    Object.assign(state, { hour: -1, input: newShape(store), output: newShape(store) });
  },
};

function newShape(store?: CellStore | null): Shape {
  return { open: newHistogram(store), usual: newHistogram(store), distances: [], firing: false, onsetMs: 0 };
}

function forgetShape({ open, usual }: Shape): void {
  emptyHistogram(open);
  emptyHistogram(usual);
}

function count(state: ShapeState, { inputTokens, outputTokens }: Observation): void {
  addBin(state.input.open, binOf(inputTokens));
  addBin(state.output.open, binOf(outputTokens));
}

function closeHour(
  state: ShapeState,
  hour: number,
  atMs: number,
  { settings }: Context<ShapeSettings>,
): readonly Verdict[] {
  const closed = state.hour;
  state.hour = hour;
  if (closed === -1) return calm;
  const verdicts: Verdict[] = [];
  for (const measure of ["input", "output"] as const) {
    const verdict = closeShape(state[measure], { measure, onsetMs: closed * hourMs, atMs }, settings);
    if (verdict !== null) verdicts.push(verdict);
    emptyHistogram(state[measure].open);
  }
  return verdicts;
}

interface Closing {
  readonly measure: keyof typeof subjects;
  readonly onsetMs: number;
  readonly atMs: number;
}

/** An hour with too few calls says nothing and is learnt; a strange one is not. */
function closeShape(shape: Shape, closing: Closing, settings: ShapeSettings): Verdict | null {
  const { open, usual, distances } = shape;
  if (open.total < settings.callsPerHourMin || usual.total < settings.callsPerHourMin) {
    learn(shape, null, settings);
    return null;
  }
  const distance = Math.log(1e-6 + perDegree(open, usual));
  if (distances.length < settings.hoursMin) {
    learn(shape, distance, settings);
    return null;
  }
  const spread = Math.max(0.25, standardDeviation(distances));
  const deviations = (distance - mean(distances)) / spread;
  const { factor, ks } = compare(open, usual);
  const strange = deviations >= settings.deviations && (factor >= settings.factorMin || ks >= settings.ksMin);
  if (!strange) learn(shape, distance, settings);
  if (strange === shape.firing) return null;
  shape.firing = strange;
  if (strange) shape.onsetMs = closing.onsetMs;
  return claim(shape, closing, { deviations: Math.max(0, deviations) });
}

/** The G statistic of the hour's octaves against the usual, per degree of freedom: about 1 where nothing changed. */
function perDegree(open: Histogram, usual: Histogram): number {
  const seen = octaves(open);
  const expected = octaves(usual);
  let [g, degrees] = [0, 0];
  for (const [octave, calls] of seen.entries()) {
    const share = ((expected[octave] ?? 0) + 0.5) / (usual.total + expected.length / 2);
    if (calls > 0) g += 2 * calls * Math.log(calls / (open.total * share));
    if (calls > 0 || (expected[octave] ?? 0) > 1) degrees++;
  }
  return Math.max(0, g) / Math.max(1, degrees - 1);
}

/** Calls by half octave: four bins each. */
function octaves(histogram: Histogram): number[] {
  const sums: number[] = new Array(64).fill(0);
  for (const [bin, calls] of binsOf(histogram)) {
    const octave = bin >> 2;
    sums[octave] = (sums[octave] ?? 0) + calls;
  }
  return sums;
}

function learn(shape: Shape, distance: number | null, { halfLifeDays }: ShapeSettings): void {
  if (distance !== null) shape.distances = [...shape.distances, distance].slice(-distancesMax);
  fade(shape.usual, 2 ** (-1 / (24 * halfLifeDays)));
  for (const [bin, calls] of binsOf(shape.open)) for (let i = 0; i < calls; i++) addBin(shape.usual, bin);
}

function claim(shape: Shape, { measure, atMs }: Closing, { deviations }: { readonly deviations: number }): Verdict {
  const { psi, factor, ks } = compare(shape.open, shape.usual);
  const [observed, expected] = [quantileOf(shape.open, 0.5), quantileOf(shape.usual, 0.5)];
  const [words, name] = subjects[measure];
  const ratio = meanOf(shape.open) / Math.max(1, meanOf(shape.usual));
  const direction = ratio > 1.1 ? "up" : ratio < 0.9 ? "down" : "shape";
  const effect =
    direction === "up"
      ? `${words} ${ratio.toFixed(1)}x longer over the hour`
      : direction === "down"
        ? `${words} ${(1 / Math.max(ratio, 1e-6)).toFixed(1)}x shorter over the hour`
        : `${words} distributed otherwise over the hour`;
  return {
    kind: `${name}_shape`,
    status: shape.firing ? "firing" : "resolved",
    atMs: Math.round(atMs),
    onsetMs: Math.min(Math.round(atMs), shape.onsetMs),
    unit: "tokens_per_call",
    observed,
    expected,
    direction,
    effect,
    // Cantelli's bound, as for spend: hours have no distribution that we would know.
    confidence: (deviations * deviations) / (1 + deviations * deviations),
    impactNanoUsd: 0,
    impactNanoUsdPerHour: 0,
    traceIds: [],
    evidence: { psi: round(psi), w1_factor: round(factor), ks: round(ks), deviations: round(deviations) },
  };
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
