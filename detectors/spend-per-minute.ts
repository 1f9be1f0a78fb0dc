/**
 * Spend per series and minute against a rolling baseline.
 *
 * The baseline is the last hour of closed minutes before the incident: centre = the larger of median and mean, spread =
 * the largest of 1.4826 MAD, standard deviation and a fifth of the centre, widened while the history is short. Every
 * choice errs to the quiet side: an outlier in the history makes the detector deafer, never louder. Two tests run on the
 * standardised excess z: the open minute alone (z >= 6, decided as soon as its sum crosses, not at its close), and a
 * one-sided CUSUM over closed minutes (Page 1954; reference value 1, decision interval 8, z cut at 4) for lasting rises.
 * While an incident lasts its minutes do not enter the baseline.
 *
 * Pure: the caller says what time it is, by event time of records and by arrival time of ticks.
 *
 * @example ten quiet minutes of a dollar, then ten dollars: fires within the eleventh minute.
 */

import { mean, median, medianAbsoluteDeviation, standardDeviation } from "simple-statistics";

export interface SpendSettings {
  /** Closed minutes before anything is judged. */
  readonly historyMinutesMin: number;
  /** Closed minutes kept. */
  readonly historyMinutesMax: number;
  readonly zPage: number;
  readonly cusumReference: number;
  readonly cusumDecision: number;
  readonly cusumCap: number;
  /** Excess that is worth waking anyone for, in nano-dollars per minute. */
  readonly excessNanoUsdMin: number;
  /** Calm closed minutes after which an incident is over. */
  readonly calmMinutes: number;
}

export const defaultSpendSettings: SpendSettings = {
  historyMinutesMin: 10,
  historyMinutesMax: 60,
  zPage: 6,
  cusumReference: 1,
  cusumDecision: 8,
  cusumCap: 4,
  excessNanoUsdMin: 20_000_000,
  calmMinutes: 3,
};

/** Plain data: it can be written to a log's snapshot and read back. Minutes are whole minutes since 1970. */
export interface SpendState {
  /** The minute that is being filled; -1 before the first record. */
  minute: number;
  /** Nano-dollars of the open minute. */
  open: number;
  /** Closed minutes of calm with their nano-dollars, oldest first. */
  closed: ClosedMinute[];
  centre: number;
  spread: number;
  cusum: number;
  /** First minute of the rise that the CUSUM is adding up. */
  riseMinute: number;
  incident: Incident | null;
}

interface ClosedMinute {
  readonly minute: number;
  spend: number;
}

interface Incident {
  onsetMinute: number;
  calm: number;
  /** Nano-dollars above the centre in closed minutes since the onset. */
  excess: number;
  test: "open_minute" | "cusum";
}

export interface SpendVerdict {
  readonly status: "firing" | "resolved";
  readonly onsetMinute: number;
  /** The minute that decided. */
  readonly minute: number;
  /** Nano-dollars of the minute that decided; an open minute's count so far. */
  readonly observed: number;
  readonly expected: number;
  readonly excess: number;
  readonly z: number;
  readonly spread: number;
  readonly historyMinutes: number;
  readonly test: Incident["test"];
}

/** A gap longer than this ends the history: what came before says nothing about what comes after. */
const gapMinutesMax = 60;
/** Spread is widened by this many minutes' worth of doubt over the length of the history. */
const shortHistoryMinutes = 5;

/** A series before its first record. */
export function newSpendState(): SpendState {
  return { minute: -1, open: 0, closed: [], centre: 0, spread: 0, cusum: 0, riseMinute: -1, incident: null };
}

/** Adds one record's spend at its minute. Records up to an hour late are added to the minute they belong to. */
export function addSpend(
  state: SpendState,
  minute: number,
  nanoUsd: number,
  settings: SpendSettings,
): SpendVerdict | null {
  if (state.minute === -1) state.minute = minute;
  const closing = minute > state.minute ? closeUntil(state, minute, settings) : null;
  if (minute === state.minute) state.open += nanoUsd;
  else addLate(state, minute, nanoUsd);
  return closing ?? judgeOpenMinute(state, settings);
}

/** Closes the minutes before `minute`. @returns what the closed minutes decided, the latest decision if several. */
export function closeUntil(state: SpendState, minute: number, settings: SpendSettings): SpendVerdict | null {
  if (state.minute === -1 || minute <= state.minute) return null;
  if (minute - state.minute > gapMinutesMax) {
    const ended = state.incident === null ? null : verdict(state, state.incident, { status: "resolved", spend: 0 });
    Object.assign(state, newSpendState(), { minute });
    return ended;
  }
  let decided: SpendVerdict | null = null;
  while (state.minute < minute) decided = closeMinute(state, settings) ?? decided;
  return decided;
}

function closeMinute(state: SpendState, settings: SpendSettings): SpendVerdict | null {
  const spend = state.open;
  const decided = judgeClosedMinute(state, spend, settings);
  if (state.incident === null) {
    state.closed.push({ minute: state.minute, spend });
    if (state.closed.length > settings.historyMinutesMax) state.closed.shift();
    learn(state, settings);
  }
  state.minute++;
  state.open = 0;
  return decided;
}

function learn(state: SpendState, settings: SpendSettings): void {
  if (state.closed.length < settings.historyMinutesMin) return;
  const spends = state.closed.map(({ spend }) => spend);
  state.centre = Math.max(median(spends), mean(spends));
  const robust = 1.4826 * medianAbsoluteDeviation(spends);
  const widest = Math.max(
    robust,
    standardDeviation(spends),
    state.centre / 5,
    settings.excessNanoUsdMin / settings.zPage,
  );
  state.spread = widest * (1 + shortHistoryMinutes / spends.length);
}

function judgeOpenMinute(state: SpendState, settings: SpendSettings): SpendVerdict | null {
  if (state.incident !== null || !judges(state, settings)) return null;
  if (score(state, state.open) < settings.zPage || !worthIt(state, state.open, settings)) return null;
  const incident = begin(state, state.cusum > 0 ? state.riseMinute : state.minute, "open_minute");
  return verdict(state, incident, { status: "firing", spend: state.open, unclosed: state.open });
}

function judgeClosedMinute(state: SpendState, spend: number, settings: SpendSettings): SpendVerdict | null {
  if (!judges(state, settings)) return null;
  const z = score(state, spend);
  if (state.incident !== null) return follow(state, state.incident, { spend, z }, settings);
  const step = Math.max(-settings.cusumCap, Math.min(z, settings.cusumCap)) - settings.cusumReference;
  if (state.cusum === 0 && step > 0) state.riseMinute = state.minute;
  state.cusum = Math.max(0, state.cusum + step);
  if (state.cusum < settings.cusumDecision || !worthIt(state, spend, settings)) return null;
  const incident = begin(state, state.riseMinute, "cusum");
  incident.excess += above(state, spend);
  return verdict(state, incident, { status: "firing", spend });
}

/** While an incident lasts: adds up its cost and waits for calm. */
function follow(
  state: SpendState,
  incident: Incident,
  { spend, z }: { readonly spend: number; readonly z: number },
  settings: SpendSettings,
): SpendVerdict | null {
  incident.excess += above(state, spend);
  // Calm is what the CUSUM would not add up: ending an incident any higher would only open it again.
  incident.calm = z < settings.cusumReference ? incident.calm + 1 : 0;
  if (incident.calm === 0) return verdict(state, incident, { status: "firing", spend });
  if (incident.calm < settings.calmMinutes) return null;
  state.incident = null;
  return verdict(state, incident, { status: "resolved", spend });
}

/** The minutes of the rise had entered the history one by one; they are the incident's, not the baseline's. */
function begin(state: SpendState, onsetMinute: number, test: Incident["test"]): Incident {
  const risen = state.closed.filter(({ minute }) => minute >= onsetMinute);
  state.closed = state.closed.filter(({ minute }) => minute < onsetMinute);
  const excess = risen.reduce((sum, { spend }) => sum + above(state, spend), 0);
  state.incident = { onsetMinute, calm: 0, excess, test };
  state.cusum = 0;
  return state.incident;
}

function verdict(
  state: SpendState,
  incident: Incident,
  now: { readonly status: SpendVerdict["status"]; readonly spend: number; readonly unclosed?: number },
): SpendVerdict {
  return {
    status: now.status,
    onsetMinute: incident.onsetMinute,
    minute: state.minute,
    observed: now.spend,
    expected: state.centre,
    excess: incident.excess + (now.unclosed === undefined ? 0 : above(state, now.unclosed)),
    z: score(state, now.spend),
    spread: state.spread,
    historyMinutes: state.closed.length,
    test: incident.test,
  };
}

function addLate(state: SpendState, minute: number, nanoUsd: number): void {
  const closed = state.closed.findLast((candidate) => candidate.minute === minute);
  if (closed !== undefined) closed.spend += nanoUsd;
}

function judges(state: SpendState, settings: SpendSettings): boolean {
  return state.closed.length >= settings.historyMinutesMin && state.spread > 0;
}

function worthIt(state: SpendState, spend: number, settings: SpendSettings): boolean {
  return spend - state.centre >= settings.excessNanoUsdMin;
}

function above(state: SpendState, spend: number): number {
  return Math.max(0, spend - state.centre);
}

function score(state: SpendState, spend: number): number {
  return state.spread === 0 ? 0 : (spend - state.centre) / state.spread;
}
