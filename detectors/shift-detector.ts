/** A detector of one measure that has shifted upward: what D1 does for tokens, for one more number of a call. */

import type { CellStore } from "./cells.ts";
import { calm, type Detector, type Observation } from "./detector.ts";
import {
  acceptShift,
  addValue,
  defaultShift,
  forgetShift,
  newShift,
  passTime,
  type ShiftSettings,
  type ShiftState,
} from "./shift.ts";
import { type Measure, shiftClaim } from "./shift-claim.ts";

export interface WatchedMeasure
  extends Pick<Detector, "id" | "name" | "summary" | "method" | "scopes" | "mode" | "stateBytesMax"> {
  readonly kind: string;
  readonly measure: Measure;
  readonly settings?: Partial<ShiftSettings>;
  /** A whole number, the larger the worse; null where a call says nothing about it. */
  value(observation: Observation): number | null;
  /** Whether a call shows that the series is about this at all; until one does, nothing is kept. */
  begins(observation: Observation): boolean;
}

interface WatchState {
  shift: ShiftState | null;
  readonly store: CellStore | null;
}

/** At most one false alarm in as many calls as the alert budget says, so long as they are exchangeable. */
export function shiftDetector(watched: WatchedMeasure): Detector<WatchState, ShiftSettings> {
  const { kind, measure, value, begins, settings: own, ...described } = watched;
  return {
    ...described,
    kinds: [kind],
    settings: { ...defaultShift, ...own },
    newState: (store = null) => ({ shift: null, store }),
    forget({ shift }) {
      if (shift !== null) forgetShift(shift);
    },
    begins,
    observe(state, observation, { alarmAt, settings }) {
      if (observation.calls !== 1 || observation.failed) return calm;
      const measured = value(observation);
      if (measured === null || (state.shift === null && !begins(observation))) return calm;
      state.shift ??= newShift(state.store);
      const verdict = addValue(state.shift, measured, observation, alarmAt, settings);
      return verdict === null ? calm : [{ ...shiftClaim(measure, verdict, observation.atMs), kind }];
    },
    tick(state, nowMs, { settings }) {
      const verdict = state.shift === null ? null : passTime(state.shift, nowMs, settings);
      return verdict === null ? calm : [{ ...shiftClaim(measure, verdict, nowMs), kind }];
    },
    acknowledge(state) {
      if (state.shift !== null) acceptShift(state.shift);
    },
  };
}
