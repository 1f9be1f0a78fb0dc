/** D2: a rate has risen: errors, cut-off answers, empty answers, or cache misses of one model of one feature. */

import { calm, type Detector, type Observation, type Verdict } from "./detector.ts";
import { acceptRate, addTrial, defaultRate, newRate, passRateTime, type RateSettings, type RateState } from "./rate.ts";
import { rateClaim } from "./rate-claim.ts";

interface Rate {
  readonly name: string;
  readonly words: string;
  /** Null where the call says nothing about it. */
  readonly hit: (observation: Observation) => boolean | null;
}

/** Providers cache from about so many tokens of input. */
const cacheableTokensMin = 1024;

const rates: readonly Rate[] = [
  { name: "error_rate", words: "errors are", hit: ({ failed }) => failed },
  {
    name: "truncation_rate",
    words: "cut-off answers are",
    hit: ({ failed, truncated }) => (failed ? null : truncated),
  },
  {
    name: "empty_answer_rate",
    words: "empty answers are",
    hit: ({ failed, inputTokens, outputTokens }) => (failed || inputTokens === 0 ? null : outputTokens === 0),
  },
  {
    name: "cache_miss_rate",
    words: "cache misses are",
    hit: ({ failed, inputTokens, cacheReadTokens }) =>
      failed || inputTokens < cacheableTokensMin ? null : cacheReadTokens < inputTokens / 4,
  },
];

interface RatesState {
  /** By rate, in the order of the list; null until the first hit: most series never have one. */
  readonly rates: (RateState | null)[];
  /** Calls before the first hit. */
  readonly misses: number[];
}

export const rateShift: Detector<RatesState, RateSettings> = {
  id: "D2",
  name: "rate-shift",
  summary: "errors, cut-off answers, empty answers or cache misses have become more frequent",
  method:
    "Shiryaev-Roberts over Bernoulli likelihood ratios on a grid of rates, against the 99.9 % upper limit of the rate so far: at most N / A false alarms in N calls.",
  kinds: rates.map(({ name }) => `${name}_shift`),
  scopes: ["model"],
  mode: "ticket",
  settings: defaultRate,
  stateBytesMax: 4096,
  newState: () => ({ rates: rates.map(() => null), misses: rates.map(() => 0) }),
  observe(state, observation, { alarmAt, settings }) {
    if (observation.calls !== 1) return calm;
    let verdicts: Verdict[] | null = null;
    for (let i = 0; i < rates.length; i++) {
      const rate = rates[i];
      const hit = rate?.hit(observation) ?? null;
      if (rate === undefined || hit === null) continue;
      const kept = state.rates[i] ?? firstHit(state, i, hit);
      if (kept === null) continue;
      const { atMs, record } = observation;
      const trial = { hit, atMs, nanoUsd: observation.nanoUsd ?? 0, traceId: record.traceId };
      const verdict = addTrial(kept, trial, alarmAt * rates.length, settings);
      if (verdict !== null) verdicts = [...(verdicts ?? []), rateClaim(named(rate), verdict, atMs)];
    }
    return verdicts ?? calm;
  },
  tick(state, nowMs, { settings }) {
    return rates.flatMap((rate, index) => {
      const kept = state.rates[index];
      const verdict = kept === null || kept === undefined ? null : passRateTime(kept, nowMs, settings);
      return verdict === null ? [] : [rateClaim(named(rate), verdict, nowMs)];
    });
  },
  acknowledge(state) {
    for (const kept of state.rates) if (kept !== null) acceptRate(kept);
  },
};

function named({ name, words }: Rate) {
  return { kind: `${name}_shift`, words };
}

/** Counts a miss; with the first hit the rate begins, and knows of the misses before. */
function firstHit(state: RatesState, index: number, hit: boolean): RateState | null {
  const misses = state.misses[index] ?? 0;
  if (!hit) {
    state.misses[index] = misses + 1;
    return null;
  }
  const begun = { ...newRate(), calls: misses };
  state.rates[index] = begun;
  return begun;
}
