/** L3: a run or conversation has cost many times what the dearest of its kind did: each turn carries all that went before. */

import { calm, type Detector, type Observation, type Verdict } from "./detector.ts";
import { addExemplar } from "./exemplars.ts";
import { addBin, type Histogram, newHistogram, quantileOf, takeOutOne } from "./histogram.ts";
import { binOf } from "./log-bins.ts";

type RunCostSettings = {
  /** Runs of the feature before any is judged. */
  readonly runsMin: number;
  /** How many times the dearest run of the feature. */
  readonly timesDearest: number;
  readonly excessUsdMin: number;
  readonly silenceMinutesMax: number;
};

/** Of a feature: what its runs cost. Of a run: what it cost so far. A state serves as either, by its scope. */
interface CostState {
  /** Cost of runs in micro-dollars, each counted under what it has cost so far. */
  readonly runs: Histogram;
  /** Nano-dollars of the two dearest runs, and which they are, by the beginning of their names. */
  readonly dearest: { run: string; nanoUsd: number }[];
  started: number;
  calls: number;
  nanoUsd: number;
  /** Input tokens of all calls, of the first and of the last: their quotient shows growth. */
  inputTokens: number;
  firstInput: number;
  lastInput: number;
  firstMs: number;
  lastMs: number;
  readonly traceIds: string[];
  told: { nanoUsd: number; atMs: number; readonly limit: number; readonly usual: number } | null;
}

const nanoPerMicro = 1000;
const runNameMax = 64;
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const tellAgainFactor = 2;

export const runCost: Detector<CostState, RunCostSettings> = {
  id: "L3",
  name: "run-cost",
  summary: "a run has cost several times what the dearest run of its feature cost, as its context grows with each call",
  method:
    "What the run has cost so far against the dearest of the feature's other runs: among n alike, a run passes the dearest with probability 1 / (n + 1), and several times that amount far more rarely.",
  kinds: ["run_cost"],
  scopes: ["feature", "run"],
  mode: "ticket",
  settings: { runsMin: 100, timesDearest: 2, excessUsdMin: 0.05, silenceMinutesMax: 60 },
  stateBytesMax: 4096,
  newState: () => ({
    runs: newHistogram(),
    dearest: [],
    started: 0,
    calls: 0,
    nanoUsd: 0,
    inputTokens: 0,
    firstInput: 0,
    lastInput: 0,
    firstMs: 0,
    lastMs: 0,
    traceIds: [],
    told: null,
  }),
  begins: ({ record }) => record.run !== "",
  observe(state, observation, { settings, parent }) {
    const { record, calls, nanoUsd } = observation;
    if (record.run === "" || parent === null || calls !== 1) return calm;
    const feature = parent as CostState;
    if (state.calls === 0) feature.started++;
    const before = state.nanoUsd;
    add(state, observation);
    const run = record.run.slice(0, runNameMax);
    const limit = settings.timesDearest * dearestOther(feature, run);
    teach(feature, run, before, state.nanoUsd);
    if (nanoUsd === null || feature.started <= settings.runsMin || limit === 0) return calm;
    return judge(state, feature, { limit, settings, observation });
  },
  tick(state, nowMs, { settings }) {
    if (state.told === null || nowMs - state.lastMs < settings.silenceMinutesMax * minuteMs) return calm;
    const verdict = claim(state, state.told, "resolved", nowMs);
    state.told = null;
    return [verdict];
  },
  acknowledge(state) {
    state.told = null;
    state.nanoUsd = 0;
  },
};

function add(state: CostState, { inputTokens, nanoUsd, atMs, arrivedAtMs }: Observation): void {
  if (state.calls === 0) Object.assign(state, { firstInput: inputTokens, firstMs: atMs });
  state.calls++;
  state.nanoUsd += Math.max(0, nanoUsd ?? 0);
  state.inputTokens += inputTokens;
  state.lastInput = inputTokens;
  state.lastMs = Math.max(state.lastMs, arrivedAtMs);
}

function dearestOther({ dearest }: CostState, run: string): number {
  return dearest.find((each) => each.run !== run)?.nanoUsd ?? 0;
}

/** The run is counted under what it has cost by now, and no longer under what it had cost before. */
function teach(feature: CostState, run: string, before: number, now: number): void {
  const [from, to] = [binOf(before / nanoPerMicro), binOf(now / nanoPerMicro)];
  if (before === 0 || from !== to) {
    if (before > 0) takeOutOne(feature.runs, from);
    addBin(feature.runs, to);
  }
  const known = feature.dearest.find((each) => each.run === run);
  if (known === undefined) feature.dearest.push({ run, nanoUsd: now });
  else known.nanoUsd = now;
  feature.dearest.sort((a, b) => b.nanoUsd - a.nanoUsd);
  feature.dearest.length = Math.min(2, feature.dearest.length);
}

function judge(
  state: CostState,
  feature: CostState,
  {
    limit,
    settings,
    observation,
  }: { readonly limit: number; readonly settings: RunCostSettings; readonly observation: Observation },
): readonly Verdict[] {
  const { told } = state;
  const { atMs, record } = observation;
  if (state.nanoUsd <= limit || state.nanoUsd - limit < settings.excessUsdMin * 1e9) return calm;
  addExemplar(state.traceIds, record.traceId);
  if (told !== null && (state.nanoUsd < tellAgainFactor * told.nanoUsd || atMs - told.atMs < minuteMs)) return calm;
  const usual = Math.round(quantileOf(feature.runs, 0.5) * nanoPerMicro);
  state.told = { nanoUsd: state.nanoUsd, atMs, limit: told?.limit ?? limit, usual: told?.usual ?? usual };
  return [claim(state, state.told, "firing", atMs)];
}

function claim(
  state: CostState,
  { limit, usual }: NonNullable<CostState["told"]>,
  status: Verdict["status"],
  atMs: number,
): Verdict {
  const onsetMs = Math.min(state.firstMs, atMs);
  const lastedMs = Math.max(minuteMs, atMs - onsetMs);
  const excess = Math.max(0, state.nanoUsd - usual);
  const grown = state.firstInput > 0 ? state.lastInput / state.firstInput : 0;
  return {
    kind: "run_cost",
    status,
    atMs: Math.round(atMs),
    onsetMs: Math.round(onsetMs),
    unit: "nano_usd",
    observed: Math.round(state.nanoUsd),
    expected: usual,
    direction: "up",
    effect: `the run has cost more than any other in ${state.calls} calls${grown > 1.5 ? `, its inputs are ${grown.toFixed(1)}x longer than at first` : ""}`,
    confidence: 0.99,
    impactNanoUsd: Math.round(excess),
    impactNanoUsdPerHour: Math.round((excess * hourMs) / lastedMs),
    traceIds: [...state.traceIds],
    evidence: {
      calls: state.calls,
      dearest_other_nano_usd: Math.round(limit),
      first_input_tokens: state.firstInput,
      last_input_tokens: state.lastInput,
      // How many times the last call's input was paid for: near the number of calls when nothing grows, half of it when all does.
      input_paid_times: state.lastInput > 0 ? Math.round((10 * state.inputTokens) / state.lastInput) / 10 : 0,
    },
  };
}
