/** D1 on dollars: the cost of a call of a feature has shifted upward, whichever of tokens, model mix, cache or price did it. */

import { calm, type Detector } from "./detector.ts";
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

/** Costs are counted in 100 nano-dollars: from a ten-millionth of a dollar to 214 dollars a call. */
const nanoUsdPerStep = 100;
const measure: Measure = {
  name: "call_cost",
  unit: "nano_usd_per_call",
  scale: nanoUsdPerStep,
  subject: "calls are",
  comparative: "dearer",
};

export const callCostShift: Detector<{ readonly cost: ShiftState }, ShiftSettings> = {
  id: "D1c",
  name: "call-cost-shift",
  summary: "what a call of a feature costs has shifted upward",
  method: "As token-shift, on the cost of priced calls.",
  kinds: ["call_cost_shift"],
  scopes: ["feature"],
  mode: "ticket",
  settings: defaultShift,
  stateBytesMax: 4096,
  newState: (store) => ({ cost: newShift(store) }),
  forget: ({ cost }) => forgetShift(cost),
  observe({ cost }, observation, { alarmAt, settings }) {
    const { calls, failed, nanoUsd } = observation;
    if (calls !== 1 || failed || nanoUsd === null) return calm;
    const verdict = addValue(cost, nanoUsd / nanoUsdPerStep, observation, alarmAt, settings);
    return verdict === null ? calm : [shiftClaim(measure, verdict, observation.atMs)];
  },
  tick({ cost }, nowMs, { settings }) {
    const verdict = passTime(cost, nowMs, settings);
    return verdict === null ? calm : [shiftClaim(measure, verdict, nowMs)];
  },
  acknowledge({ cost }) {
    acceptShift(cost);
  },
};
