/** L11: the GPUs of an instance take more energy for each token than they did at the same load. */

import type { EnergyReading } from "../src/model/energy-reading.ts";
import { calm, type Detector, type Observation, type Verdict } from "./detector.ts";
import { addExemplar } from "./exemplars.ts";

type EnergySettings = {
  /** Windows of five minutes at a load before it is judged. */
  readonly windowsMin: number;
  /** Usual tokens per joule over those of now. */
  readonly ratioMin: number;
  /** Deviations that must add up, beyond three quarters of one a window. */
  readonly evidenceMin: number;
  readonly newNormalHours: number;
};

interface EnergyState {
  /** The last windows in turn, four sums each; the next to be judged, by its number since 1970. */
  readonly windows: Float64Array;
  next: number;
  /** By step of load, four numbers each. */
  readonly usual: Float64Array;
  /** CUSUM of what windows lie below the usual, and what has added up since it was 0. */
  evidence: number;
  onsetMs: number;
  since: Sums;
  calmWindows: number;
  /** Loads and values that are not learnt yet. */
  readonly waiting: number[];
  readonly traceIds: string[];
  firing: { readonly firedMs: number; told: number } | null;
}

/** What was used, and the joules it would have taken at the usual efficiency. */
interface Sums {
  windows: number;
  tokens: number;
  output: number;
  joules: number;
  usualJoules: number;
}

const windowMs = 300_000;
const windowsKept = 6;
const sumsPerWindow = 4;
/** How long a window waits for calls and readings that are exported once a minute. */
const lateMs = 120_000;
/** Share of a window that readings must cover. */
const coveredMin = 0.8;
const tokensMin = 1000;
const steps = 48;
/** Windows seen, means of the logarithms of tokens a minute and of tokens per joule, mean deviation of the latter. */
const numbersPerStep = 4;
const windowsForLine = 6;
/** Windows at a step of load after which the oldest count less and less: two days. */
const memoryWindows = 576;
/** Efficiency wanders by this much anyway, in natural logarithms. */
const deviationMin = 0.03;
const forgivenDeviations = 0.75;
const deviationsMax = 4;
/** Windows in a row that fit the usual, after which it is over. */
const calmWindowsMax = 3;
/** Windows that wait to be learnt. */
const waitingMax = 24;
const growthToTell = 2;
const hourMs = 3_600_000;

const noSums = (): Sums => ({ windows: 0, tokens: 0, output: 0, joules: 0, usualJoules: 0 });

export const energy: Detector<EnergyState, EnergySettings> = {
  id: "L11",
  name: "energy",
  summary: "the GPUs of an instance take more energy for each token than usual",
  method:
    "Tokens (uncached input and output) per joule in windows of five minutes, only where power is measured, against what is usual at that load, since idle GPUs take energy too: CUSUM of the deviations of its logarithm. The usual does not learn while evidence builds up.",
  kinds: ["tokens_per_joule"],
  scopes: ["instance"],
  mode: "ticket",
  settings: { windowsMin: 12, ratioMin: 1.15, evidenceMin: 8, newNormalHours: 24 },
  stateBytesMax: 3072,
  newState: () => ({
    windows: new Float64Array(windowsKept * sumsPerWindow),
    next: 0,
    usual: new Float64Array(steps * numbersPerStep),
    evidence: 0,
    onsetMs: 0,
    since: noSums(),
    calmWindows: 0,
    waiting: [],
    traceIds: [],
    firing: null,
  }),
  // Calls alone say nothing: the first reading makes the state.
  begins: () => false,
  measure(state, reading, nowMs, { settings }) {
    const verdicts = judgeUntil(state, nowMs, settings);
    spread(state, reading);
    return verdicts;
  },
  observe(state, seen, { settings }) {
    const verdicts = judgeUntil(state, seen.arrivedAtMs, settings);
    count(state, seen);
    return verdicts;
  },
  tick: (state, nowMs, { settings }) => judgeUntil(state, nowMs, settings),
  acknowledge(state) {
    state.usual.fill(0);
    state.waiting.length = 0;
    calmDown(state);
    state.firing = null;
  },
};

/** The place of a window's sums; -1 where it is judged already or too far ahead. */
function placeOf(state: EnergyState, atMs: number): number {
  const window = Math.floor(atMs / windowMs);
  if (window < state.next || window >= state.next + windowsKept) return -1;
  return (window % windowsKept) * sumsPerWindow;
}

function add(state: EnergyState, at: number, amount: number): void {
  state.windows[at] = (state.windows[at] ?? 0) + amount;
}

function count(state: EnergyState, { atMs, calls, inputTokens, cacheReadTokens, outputTokens, record }: Observation) {
  const at = placeOf(state, atMs);
  if (at === -1 || calls < 1) return;
  add(state, at, Math.max(0, inputTokens - cacheReadTokens) + outputTokens);
  add(state, at + 1, outputTokens);
  addExemplar(state.traceIds, record.traceId);
}

/** Deals a reading's joules out over the windows it lies in, by time. */
function spread(state: EnergyState, { fromUs, toUs, joules }: EnergyReading): void {
  const [fromMs, toMs] = [fromUs / 1000, toUs / 1000];
  for (let startMs = Math.floor(fromMs / windowMs) * windowMs; startMs < toMs; startMs += windowMs) {
    const at = placeOf(state, startMs);
    if (at === -1) continue;
    const withinMs = Math.min(toMs, startMs + windowMs) - Math.max(fromMs, startMs);
    add(state, at + 2, (joules * withinMs) / (toMs - fromMs));
    add(state, at + 3, withinMs);
  }
}

/** Judges every window that is over by now. */
function judgeUntil(state: EnergyState, nowMs: number, settings: EnergySettings): readonly Verdict[] {
  const open = Math.floor((nowMs - lateMs) / windowMs);
  if (open <= state.next) return calm;
  const verdicts: Verdict[] = [];
  // After a silence there is nothing beyond the windows that are kept.
  const last = Math.min(open, state.next + windowsKept);
  for (let window = state.next; window < last; window++) {
    const at = (window % windowsKept) * sumsPerWindow;
    const [tokens = 0, output = 0, joules = 0, coveredMs = 0] = state.windows.subarray(at, at + sumsPerWindow);
    state.windows.fill(0, at, at + sumsPerWindow);
    if (tokens < tokensMin || joules <= 0 || coveredMs < coveredMin * windowMs) continue;
    const said = judge(state, { window, tokens, output, joules }, settings);
    if (said !== null) verdicts.push(said);
  }
  state.next = open;
  return verdicts.length === 0 ? calm : verdicts;
}

interface Window {
  readonly window: number;
  readonly tokens: number;
  readonly output: number;
  readonly joules: number;
}

function judge(state: EnergyState, now: Window, settings: EnergySettings): Verdict | null {
  const [load, value] = [Math.log((now.tokens * 60_000) / windowMs), Math.log(now.tokens / now.joules)];
  const usual = usualAt(state.usual, load);
  if (usual.windows < settings.windowsMin) {
    learn(state.usual, load, value);
    return null;
  }
  const below = (usual.mean - value) / Math.max(deviationMin, usual.deviation);
  const atMs = (now.window + 1) * windowMs;
  if (state.evidence === 0) state.onsetMs = now.window * windowMs;
  state.evidence = Math.max(0, state.evidence + Math.min(deviationsMax, below) - forgivenDeviations);
  if (state.firing === null) wait(state, load, value);
  if (state.evidence === 0 && state.firing === null) {
    calmDown(state);
    return null;
  }
  const { since } = state;
  since.windows++;
  since.tokens += now.tokens;
  since.output += now.output;
  since.joules += now.joules;
  since.usualJoules += now.tokens / Math.exp(usual.mean);
  return state.firing === null ? begin(state, atMs, settings) : goOn(state, atMs, below, settings);
}

/** What a window says is learnt when nothing builds up any more: without the low ones the usual would creep upward. */
function wait(state: EnergyState, load: number, value: number): void {
  state.waiting.push(load, value);
  const learnt = state.evidence === 0 ? state.waiting.length : state.waiting.length - 2 * waitingMax;
  if (learnt <= 0) return;
  for (let at = 0; at < learnt; at += 2) learn(state.usual, state.waiting[at] ?? 0, state.waiting[at + 1] ?? 0);
  state.waiting.splice(0, learnt);
}

function begin(state: EnergyState, atMs: number, settings: EnergySettings): Verdict | null {
  const { since } = state;
  if (state.evidence < settings.evidenceMin || since.joules < settings.ratioMin * since.usualJoules) return null;
  state.firing = { firedMs: atMs, told: since.joules - since.usualJoules };
  state.waiting.length = 0;
  state.calmWindows = 0;
  return claim(state, "firing", atMs);
}

function goOn(state: EnergyState, atMs: number, below: number, settings: EnergySettings): Verdict | null {
  const { firing, since } = state;
  if (firing === null) return null;
  state.calmWindows = below <= 1 ? state.calmWindows + 1 : 0;
  const isNewNormal = atMs - firing.firedMs >= settings.newNormalHours * hourMs;
  if (state.calmWindows >= calmWindowsMax || isNewNormal) {
    const verdict = claim(state, "resolved", atMs, isNewNormal);
    state.firing = null;
    if (isNewNormal) state.usual.fill(0);
    calmDown(state);
    return verdict;
  }
  const wasted = since.joules - since.usualJoules;
  if (wasted < growthToTell * firing.told) return null;
  firing.told = wasted;
  return claim(state, "firing", atMs);
}

/** Where the numbers of a load stand: steps of the square root of two in tokens a minute. */
function stepOf(load: number): number {
  const step = Math.floor((2 * load) / Math.LN2);
  return Math.min(steps - 1, Math.max(0, step)) * numbersPerStep;
}

/** The usual at a load: on the line through the means of its own step and of the next one on its side. */
function usualAt(usual: Float64Array, load: number): { windows: number; mean: number; deviation: number } {
  const at = stepOf(load);
  const [windows = 0, meanLoad = 0, mean = 0, deviation = 0] = usual.subarray(at, at + numbersPerStep);
  const next = at + (load < meanLoad ? -numbersPerStep : numbersPerStep);
  const [nextWindows = 0, nextLoad = 0, nextMean = 0] = usual.subarray(Math.max(0, next), next + numbersPerStep);
  if (nextWindows < windowsForLine || nextLoad === meanLoad) return { windows, mean, deviation };
  const slope = (nextMean - mean) / (nextLoad - meanLoad);
  return { windows, mean: mean + slope * (load - meanLoad), deviation };
}

/** Means are plain at first and fade later. */
function learn(usual: Float64Array, load: number, value: number): void {
  const expected = usualAt(usual, load).mean;
  const at = stepOf(load);
  const windows = Math.min(memoryWindows, (usual[at] ?? 0) + 1);
  const towards = (place: number, number: number, weight: number) => {
    usual[place] = (usual[place] ?? 0) + (number - (usual[place] ?? 0)) * weight;
  };
  usual[at] = windows;
  towards(at + 1, load, 1 / windows);
  towards(at + 2, value, 1 / windows);
  // The first value has no deviation from others.
  if (windows > 1) towards(at + 3, Math.abs(value - expected), 1 / (windows - 1));
}

function calmDown(state: EnergyState): void {
  state.evidence = 0;
  state.calmWindows = 0;
  state.since = noSums();
}

function claim(state: EnergyState, status: Verdict["status"], atMs: number, isNewNormal = false): Verdict {
  const { since, evidence } = state;
  const [observed, expected] = [since.tokens / since.joules, since.tokens / since.usualJoules];
  const digits = (value: number) => Number(value.toPrecision(4));
  return {
    kind: "tokens_per_joule",
    status,
    atMs,
    onsetMs: state.onsetMs,
    unit: "tokens_per_joule",
    observed: digits(observed),
    expected: digits(expected),
    direction: "down",
    effect: `each token takes ${(expected / observed).toFixed(2)}x the energy: ${digits(observed)} instead of ${digits(expected)} tokens per joule`,
    confidence: 1 - Math.exp(-Math.min(20, Math.max(1, evidence))),
    impactNanoUsd: 0,
    impactNanoUsdPerHour: 0,
    traceIds: [...state.traceIds],
    evidence: {
      joules: Math.round(since.joules),
      joules_above_usual: Math.round(since.joules - since.usualJoules),
      tokens: since.tokens,
      output_share: digits(since.output / since.tokens),
      minutes: since.windows * (windowMs / 60_000),
      evidence: digits(evidence),
      ...(isNewNormal ? { resolved_as: "new normal" } : {}),
    },
  };
}
