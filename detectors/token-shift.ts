/** D1: the tokens of a call have shifted upward: inputs, answers or reasoning of one model of one feature. */

import { type Context, calm, type Detector, type Observation, type Verdict } from "./detector.ts";
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

interface TokenState {
  readonly input: ShiftState;
  readonly output: ShiftState;
  /** Null until a call reasons: most series never do. */
  reasoning: ShiftState | null;
}

const unit = "tokens_per_call";
const input: Measure = { name: "input_tokens", unit, scale: 1, subject: "inputs are", comparative: "longer" };
const output: Measure = { name: "output_tokens", unit, scale: 1, subject: "answers are", comparative: "longer" };
const reasoning: Measure = { name: "reasoning_tokens", unit, scale: 1, subject: "reasoning is", comparative: "longer" };

export const tokenShift: Detector<TokenState, ShiftSettings> = {
  id: "D1",
  name: "token-shift",
  summary: "input, output or reasoning tokens of a call have shifted upward",
  method:
    "Conformal rank of each call among the fading log-histogram of its series, bet upon by a Shiryaev-Roberts portfolio of rank and tail bets: at most N / A false alarms in N exchangeable calls. The margin grows with how much the series wanders by itself.",
  kinds: ["input_tokens_shift", "output_tokens_shift", "reasoning_tokens_shift"],
  scopes: ["model"],
  mode: "ticket",
  settings: defaultShift,
  stateBytesMax: 8192,
  newState: (store) => ({ input: newShift(store), output: newShift(store), reasoning: null }),
  forget(state) {
    for (const measured of [state.input, state.output, state.reasoning]) if (measured !== null) forgetShift(measured);
  },
  observe(state, observation, context) {
    // A failed call says nothing about how long calls are; corrections and tools are no calls.
    if (observation.calls !== 1 || observation.failed) return calm;
    if (observation.reasoningTokens > 0) state.reasoning ??= newShift(state.input.wealth.store);
    const first = step(state.input, input, observation.inputTokens, observation, context);
    const second = step(state.output, output, observation.outputTokens, observation, context);
    const third =
      state.reasoning === null
        ? null
        : step(state.reasoning, reasoning, observation.reasoningTokens, observation, context);
    if (first === null && second === null && third === null) return calm;
    return [first, second, third].filter((verdict) => verdict !== null);
  },
  tick(state, nowMs, { settings }) {
    const ended = (measured: ShiftState | null, measure: Measure) => {
      const verdict = measured === null ? null : passTime(measured, nowMs, settings);
      return verdict === null ? [] : [shiftClaim(measure, verdict, nowMs)];
    };
    return [...ended(state.input, input), ...ended(state.output, output), ...ended(state.reasoning, reasoning)];
  },
  acknowledge(state) {
    for (const measured of [state.input, state.output, state.reasoning]) if (measured !== null) acceptShift(measured);
  },
};

function step(
  state: ShiftState,
  measure: Measure,
  value: number,
  observation: Observation,
  { alarmAt, settings }: Context<ShiftSettings>,
): Verdict | null {
  const verdict = addValue(state, value, observation, alarmAt, settings);
  return verdict === null ? null : shiftClaim(measure, verdict, observation.atMs);
}
