/**
 * The shift of one measure of one series upward: conformal ranks against a fading histogram, bet upon by a portfolio
 * whose false alarms are bounded by the alarm level. The pure core of D1; it knows values, not records.
 *
 * The reference takes in each value after it was ranked. It waits while evidence builds up, so that a shift does not teach it
 * to expect a shift, and is frozen while one lasts. A shift is over when the
 * frozen reference fits again: when the evidence, begun anew at the alarm, has not grown for a while. One that lasts is the
 * new normal, and the reference begins anew.
 */

import { type Block, type CellStore, clearCells, giveBackCells } from "./cells.ts";
import { compare, type Distance } from "./compare.ts";
import { addExemplar } from "./exemplars.ts";
import { addBin, fade, type Histogram, meanOf, newHistogram, putIn, rankOf, takeOut } from "./histogram.ts";
import { binOf } from "./log-bins.ts";
import { bet, lastPaid, newWealth, oddsFor } from "./rank-bets.ts";
import { learnWander, marginOf, newWander, type Wander } from "./wander.ts";

export type ShiftSettings = {
  /** Mean of 2 rank - 1 that is always forgiven. */
  readonly marginMin: number;
  /** How many standard deviations of the series' own wandering are forgiven beyond that. */
  readonly wanderFactor: number;
  /** Values before evidence is gathered, and minutes that they span: the first moments of a series are no normal. */
  readonly referenceMin: number;
  readonly referenceMinutesMin: number;
  /** Counts fade to one half in this time. */
  readonly halfLifeDays: number;
  /** Smallest mean of what is seen over what is usual that is worth a word. */
  readonly meanRatioMin: number;
  /** A shift that lasted for so many values and so long is the new normal. */
  readonly newNormalCalls: number;
  readonly newNormalHours: number;
};

/** A ticket forgives a mean rank that is 0.05 off. One standard deviation of the wander: the real hours are then silent. */
export const defaultShift: ShiftSettings = {
  marginMin: 0.05,
  wanderFactor: 1,
  referenceMin: 100,
  referenceMinutesMin: 15,
  halfLifeDays: 7,
  meanRatioMin: 1.1,
  newNormalCalls: 2000,
  newNormalHours: 24,
};

/** What was seen since the evidence began to rise; kept only while it is up. */
export interface Rise {
  readonly seen: Histogram;
  /** Whether the reference has not learnt them; and how the series wanders if they are of its wandering. */
  waits: boolean;
  readonly wander: Wander;
  /** Sums over the values, exact. */
  sum: number;
  nanoUsd: number;
  readonly traceIds: string[];
}

interface Shift {
  readonly onsetMs: number;
  readonly evidence: number;
  /** Values since the alarm, and since the last evidence that it lasts; so many of the latter end it. */
  values: number;
  quiet: number;
  readonly recovery: number;
  toldMs: number;
}

/** Plain data. */
export interface ShiftState extends Wander {
  readonly reference: Histogram;
  readonly wealth: Block;
  /** CUSUM of what the bets pay, and when it last began. */
  cusum: number;
  onsetMs: number;
  /** When the reference began, and until when it has faded. */
  firstMs: number;
  fadedMs: number;
  /** Mean nano-dollars a call in the reference. */
  usualNanoUsd: number;
  rise: Rise | null;
  shift: Shift | null;
}

export interface ShiftVerdict {
  readonly status: "firing" | "resolved";
  readonly onsetMs: number;
  readonly evidence: number;
  /** Mean of the values since the onset, and of the reference. */
  readonly observed: number;
  readonly expected: number;
  readonly distance: Distance;
  readonly values: number;
  readonly referenceSize: number;
  readonly impactNanoUsd: number;
  readonly traceIds: readonly string[];
  /** Set when it is over because it became the new normal. */
  readonly newNormal: boolean;
}

/** One burst of a few calls is no shift, however far out they are. */
const valuesMin = 16;
/** What is seen is kept from this CUSUM on: calm series hold nothing of it. */
const risingFrom = 4;
/** Values of a rise wait up to this share of the reference, which is no normal any more without more of what is seen. */
const waitingShareMax = 0.25;
/** The reference fades in steps of this share of the half-life, so that the whole array is seldom touched. */
const fadeSteps = 32;
/** Evidence that keeps a shift alive, and how many values without it end one, in multiples of what the alarm took. */
const stillShifted = 1000;
const recoveryFactor = 3;
const recoveryValuesMin = 200;
/** A shift that lasts is told again with what it has cost by now. */
const tellAgainMs = 5 * 60_000;
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** A measure before its first value. */
export function newShift(store: CellStore | null = null): ShiftState {
  return {
    reference: newHistogram(store),
    wealth: newWealth(store),
    ...newWander(),
    cusum: 0,
    onsetMs: 0,
    firstMs: 0,
    fadedMs: 0,
    usualNanoUsd: 0,
    rise: null,
    shift: null,
  };
}

/** The call that a value is of: when, what it cost, and what makes its rank the same in every replay. */
export interface MeasuredCall {
  readonly atMs: number;
  readonly nanoUsd: number | null;
  readonly tieBreak: number;
  readonly record: { readonly traceId: string };
}

/** Takes the value of a call. @returns what it decides, nearly always nothing. */
export function addValue(
  state: ShiftState,
  value: number,
  call: MeasuredCall,
  alarmAt: number,
  settings: ShiftSettings,
): ShiftVerdict | null {
  const bin = binOf(value);
  const { reference } = state;
  const rank = rankOf(reference, bin, call.tieBreak);
  if (state.shift !== null) return follow(state, state.shift, { value, call, rank }, settings);
  fadeUntil(state, call.atMs, settings);
  const spanMinutes = (call.atMs - state.firstMs) / minuteMs;
  const judged = reference.total >= settings.referenceMin && spanMinutes >= settings.referenceMinutesMin;
  const evidence = judged ? bet(state.wealth, rank, oddsFor(marginOf(state, settings))) : 0;
  if (judged) dateChange(state, value, call, settings);
  if (evidence >= alarmAt && state.rise !== null && state.rise.seen.total >= valuesMin) {
    const verdict = verdictOf(state, state.rise, { status: "firing", onsetMs: state.onsetMs, evidence });
    if (verdict.observed >= settings.meanRatioMin * verdict.expected)
      return begin(state, state.rise, { verdict, atMs: call.atMs });
  }
  if (judged) learnWander(state.rise?.waits === true ? state.rise.wander : state, rank);
  learn(state, bin, call.nanoUsd ?? 0);
  return null;
}

/** The reference learns a calm value at once, and those of a rise when it is over or has lasted for too long. */
function learn(state: ShiftState, bin: number, nanoUsd: number): void {
  const { reference, rise } = state;
  if (rise?.waits === true) {
    if (rise.seen.total >= waitingShareMax * reference.total) learnRise(state, rise);
    return;
  }
  addBin(reference, bin);
  // A running mean that forgets as slowly as the histogram does.
  state.usualNanoUsd += (nanoUsd - state.usualNanoUsd) / Math.max(1, reference.total);
}

function learnRise(state: ShiftState, rise: Rise): void {
  const { seen, nanoUsd } = rise;
  rise.waits = false;
  Object.assign(state, rise.wander);
  putIn(state.reference, seen);
  state.usualNanoUsd += (nanoUsd - seen.total * state.usualNanoUsd) / Math.max(1, state.reference.total);
}

/** Ends a shift that no value has ended for as long as would make it the new normal. */
export function passTime(state: ShiftState, nowMs: number, settings: ShiftSettings): ShiftVerdict | null {
  if (state.shift === null || nowMs - state.shift.onsetMs < settings.newNormalHours * hourMs) return null;
  return end(state, state.shift, true);
}

/** What is seen since the onset is taken to be normal. */
export function acceptShift(state: ShiftState): void {
  const { store } = state.wealth;
  forgetShift(state);
  Object.assign(state, newShift(store));
}

/** Gives back what a measure took from its store. */
export function forgetShift({ reference, wealth }: ShiftState): void {
  giveBackCells(reference);
  giveBackCells(wealth);
}

/** The CUSUM of what the bets pay on average: where it last left 1 is where the change most likely is. */
function dateChange(state: ShiftState, value: number, call: MeasuredCall, { marginMin }: ShiftSettings): void {
  if (state.cusum <= 1) {
    state.cusum = 1;
    state.onsetMs = call.atMs;
    if (state.rise?.waits === true) learnRise(state, state.rise);
    state.rise = null;
  }
  state.cusum *= lastPaid(state.wealth);
  if (state.cusum > 1e30) state.cusum = 1e30;
  if (state.cusum < risingFrom && state.rise === null) return;
  // Waiting makes the ranks that follow a little too high, which the margin pays for: without one nothing waits.
  state.rise ??= newRise(state, marginMin > 0);
  note(state.rise, value, call);
}

function newRise({ sum, count, blocks, square }: Wander, waits: boolean): Rise {
  return { seen: newHistogram(), waits, wander: { sum, count, blocks, square }, sum: 0, nanoUsd: 0, traceIds: [] };
}

function note(rise: Rise, value: number, { nanoUsd, record }: MeasuredCall): void {
  addBin(rise.seen, binOf(value));
  rise.sum += value;
  rise.nanoUsd += nanoUsd ?? 0;
  addExemplar(rise.traceIds, record.traceId);
}

/** What the reference had learnt of the rise is the shift's. */
function begin(
  state: ShiftState,
  rise: Rise,
  { verdict, atMs }: { readonly verdict: ShiftVerdict; readonly atMs: number },
): ShiftVerdict {
  if (!rise.waits) takeOut(state.reference, rise.seen);
  const { onsetMs, evidence, values } = verdict;
  const recovery = Math.max(recoveryValuesMin, recoveryFactor * values);
  state.shift = { onsetMs, evidence, values: 0, quiet: 0, recovery, toldMs: atMs };
  clearCells(state.wealth);
  return verdict;
}

function follow(
  state: ShiftState,
  shift: Shift,
  { value, call, rank }: { readonly value: number; readonly call: MeasuredCall; readonly rank: number },
  settings: ShiftSettings,
): ShiftVerdict | null {
  shift.values++;
  if (state.rise !== null) note(state.rise, value, call);
  if (bet(state.wealth, rank, oddsFor(marginOf(state, settings))) >= stillShifted) {
    clearCells(state.wealth);
    shift.quiet = 0;
  } else if (++shift.quiet >= shift.recovery) return end(state, shift, false);
  const lasts =
    call.atMs - shift.onsetMs >= settings.newNormalHours * hourMs && shift.values >= settings.newNormalCalls;
  if (lasts) return end(state, shift, true);
  if (call.atMs - shift.toldMs < tellAgainMs || state.rise === null) return null;
  shift.toldMs = call.atMs;
  return verdictOf(state, state.rise, { status: "firing", onsetMs: shift.onsetMs, evidence: shift.evidence });
}

function end(state: ShiftState, shift: Shift, newNormal: boolean): ShiftVerdict {
  const { onsetMs, evidence } = shift;
  const rise = state.rise ?? newRise(state, false);
  const verdict = { ...verdictOf(state, rise, { status: "resolved", onsetMs, evidence }), newNormal };
  if (newNormal) acceptShift(state);
  else {
    clearCells(state.wealth);
    Object.assign(state, { cusum: 0, rise: null, shift: null });
  }
  return verdict;
}

function verdictOf(
  state: ShiftState,
  rise: Rise,
  { status, onsetMs, evidence }: Pick<ShiftVerdict, "status" | "onsetMs" | "evidence">,
): ShiftVerdict {
  const values = rise.seen.total;
  return {
    status,
    onsetMs,
    evidence,
    observed: values > 0 ? rise.sum / values : 0,
    expected: meanOf(state.reference),
    distance: compare(rise.seen, state.reference),
    values,
    referenceSize: state.reference.total,
    impactNanoUsd: Math.max(0, rise.nanoUsd - values * state.usualNanoUsd),
    traceIds: [...rise.traceIds],
    newNormal: false,
  };
}

function fadeUntil(state: ShiftState, atMs: number, settings: ShiftSettings): void {
  if (state.fadedMs === 0) {
    state.firstMs = atMs;
    state.fadedMs = atMs;
  }
  const passed = (atMs - state.fadedMs) / (24 * hourMs * settings.halfLifeDays);
  if (passed < 1 / fadeSteps) return;
  fade(state.reference, 2 ** -passed);
  state.fadedMs = atMs;
}
