/** A detector of one rate that has risen: what D2 does for errors, for one more thing that may be true of a call. */

import { calm, type Detector, type Observation } from "./detector.ts";
import {
  acceptRate,
  addTrial,
  defaultRate,
  newRate,
  passRateTime,
  type RateSettings,
  type RateState,
  type RateVerdict,
  standingRate,
} from "./rate.ts";
import { type NamedRate, rateClaim } from "./rate-claim.ts";

/** What one call says: whether it is a hit, and what the hit costs beyond a miss. */
export interface Answer {
  readonly hit: boolean;
  readonly nanoUsd: number;
}

/** What nearly every call says. Shared, so that the usual answer costs nothing. */
export const miss: Answer = { hit: false, nanoUsd: 0 };

export interface WatchedRate<Memory extends object>
  extends NamedRate,
    Pick<Detector, "id" | "name" | "summary" | "method" | "scopes" | "mode" | "stateBytesMax" | "begins"> {
  readonly settings?: Partial<RateSettings>;
  /** What the question needs to remember of earlier calls: plain data. */
  newMemory(): Memory;
  /** Asks a call; may change the memory. Null where it says nothing. */
  ask(observation: Observation, memory: Memory): Answer | null;
}

interface RateKept {
  /** Null until the first hit: most series never have one. */
  rate: RateState | null;
  /** Calls before the first hit. */
  misses: number;
  /** What the alarm had cost when it was last told. */
  toldNanoUsd: number;
}

/** The memory lies in the state itself: most series have nothing else. */
type WatchState<Memory> = Memory & RateKept;

/** These are rare where all is well: a hundredth more is not forgiven, as it is of errors. */
const rareRate = { forgivenShare: 0.002 };

/** At most one false alarm in as many calls as the alert budget says, so long as the rate itself does not change. */
export function rateDetector<Memory extends object>(
  watched: WatchedRate<Memory>,
): Detector<WatchState<Memory>, RateSettings> {
  const { newMemory, ask, kind, words, settings: own, ...described } = watched;
  return {
    ...described,
    kinds: [kind],
    settings: { ...defaultRate, ...rareRate, ...own },
    newState: () => ({ ...newMemory(), rate: null, misses: 0, toldNanoUsd: 0 }),
    observe(state, observation, { alarmAt, settings }) {
      const answer = observation.calls === 1 ? ask(observation, state) : null;
      if (answer === null) return calm;
      if (state.rate === null && !answer.hit) {
        state.misses++;
        return calm;
      }
      state.rate ??= { ...newRate(), calls: state.misses };
      const { atMs, record } = observation;
      const trial = { hit: answer.hit, nanoUsd: answer.nanoUsd, atMs, traceId: record.traceId };
      const verdict = addTrial(state.rate, trial, alarmAt, settings);
      const told = verdict ?? grown(state.rate, state.toldNanoUsd);
      if (told === null) return calm;
      state.toldNanoUsd = told.impactNanoUsd;
      return [rateClaim({ kind, words }, told, atMs)];
    },
    tick(state, nowMs, { settings }) {
      const verdict = state.rate === null ? null : passRateTime(state.rate, nowMs, settings);
      return verdict === null ? calm : [rateClaim({ kind, words }, verdict, nowMs)];
    },
    acknowledge(state) {
      if (state.rate !== null) acceptRate(state.rate);
    },
  };
}

/** An alarm is told again when it costs so much more: only then do its dollars explain those of the whole. */
const tellAgainFactor = 1.15;

function grown(rate: RateState, toldNanoUsd: number): RateVerdict | null {
  if (rate.alarm === null) return null;
  const standing = standingRate(rate);
  return standing !== null && standing.impactNanoUsd > tellAgainFactor * toldNanoUsd ? standing : null;
}
