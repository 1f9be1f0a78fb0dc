/**
 * Spend per window of one length (a minute, 15 minutes, 4 hours) against a rolling baseline.
 *
 * The baseline is the recent closed windows before the incident: centre = the larger of median and mean, spread = the
 * largest of 1.4826 MAD, standard deviation and a fifth of the centre, widened while the history is short. Every choice
 * errs to the quiet side: an outlier in the history makes the detector deafer, never louder. Two tests run on the
 * standardised excess z: the open window alone (z >= 6, decided as soon as its sum crosses, not at its close), and a
 * one-sided CUSUM over closed windows (Page 1954; reference value 1, decision interval 8, z cut at 4) for lasting rises.
 * A lasting rise must also stand out from the windows right before it: mornings ramp up, incidents step up. While an
 * incident lasts its windows do not enter the baseline.
 *
 * Windows are counted in whole lengths since 1970. Everything inside is deseasoned: divided by the factor that the season
 * has now, which verdicts multiply back.
 *
 * @example ten quiet windows of a dollar, then ten dollars: fires within the eleventh window.
 */

import { mean, median, medianAbsoluteDeviation, standardDeviation } from "simple-statistics";

export interface WindowSettings {
  /** Closed windows before anything is judged. */
  readonly historyMin: number;
  /** Closed windows kept. */
  readonly historyMax: number;
  readonly zOpen: number;
  readonly cusumReference: number;
  readonly cusumDecision: number;
  readonly cusumCap: number;
  /** Excess over one window that is worth a word, in nano-dollars; and where spend comes in bursts. */
  readonly excessNanoUsdMin: number;
  readonly burstExcessNanoUsdMin: number;
  /** Excess since the onset that is worth a word, in nano-dollars. */
  readonly incidentNanoUsdMin: number;
  /** Windows after which half of a remembered peak is forgotten. */
  readonly peakHalfLife: number;
  /** Calm closed windows after which an incident is over, and windows after which it is the new normal. */
  readonly calmWindows: number;
  readonly newNormalWindows: number;
}

/** Plain data. Deseasoned nano-dollars throughout. */
export interface WindowState {
  /** The window that is being filled; -1 before the first record. */
  window: number;
  /** What the season multiplies spend by, set by the caller. */
  factor: number;
  /** Spend of the open window, and the same as it was paid: the season may have changed since the window began. */
  open: number;
  paid: number;
  /** Closed calm windows, oldest first, and which window the newest of them was. */
  closed: number[];
  closedUntil: number;
  /** From here to `closedUntil` there is no gap, so that a late record finds its window. */
  closedFrom: number;
  centre: number;
  spread: number;
  /** Spend comes in bursts, most windows are empty or a few hold most of it: that a window differs says little. */
  bursty: boolean;
  /** Largest single window, and largest mean of five, over the centre of its time; fading. */
  peak: number;
  longPeak: number;
  /** Those of the rise at hand, which are remembered once it is over without having been an incident. */
  risingPeak: number;
  risingLongPeak: number;
  cusum: number;
  /** First window of the rise that the CUSUM is adding up, and how far out each was. */
  riseWindow: number;
  riseScores: number[];
  incident: WindowIncident | null;
}

interface WindowIncident {
  onset: number;
  calm: number;
  /** Nano-dollars above the centre in closed windows since the onset, as they were paid. */
  excess: number;
  test: "open_window" | "cusum";
}

export interface WindowVerdict {
  readonly status: "firing" | "resolved";
  /** First window of the incident. */
  readonly onset: number;
  /** The window that decided. */
  readonly window: number;
  /** Spend of the window that decided; an open window's so far. */
  readonly observed: number;
  readonly expected: number;
  readonly excess: number;
  readonly z: number;
  readonly historyLength: number;
  readonly test: WindowIncident["test"];
}

/** A gap of more windows than this ends the history: what came before says nothing about what comes after. */
const gapWindowsMax = 60;
/** A rise that takes longer is dated within its first windows. */
const riseMax = 60;
/** What a single score may weigh when a rise is dated, and how many of the latest say how far out it is. */
const scoreMax = 6;
const recentScores = 3;
/** How far an incident must surpass the remembered peak. */
const peakFactor = 1.25;
/** How many windows stand before a step, how many are above it at least, and how far. */
const windowsBefore = 5;
const stepWindowsMin = 3;
const stepMin = 1.5;
/** Standard deviation over the centre from which spend counts as bursty: Azure's two hours have 0.3 and 1.0. */
const burstyFrom = 1.5;
/** Spread is widened by this many windows' worth of doubt over the length of the history. */
const shortHistoryWindows = 5;

/** A window before its first record. */
export function newWindowState(): WindowState {
  return {
    window: -1,
    factor: 1,
    open: 0,
    paid: 0,
    closed: [],
    closedUntil: -1,
    closedFrom: 0,
    centre: 0,
    spread: 0,
    bursty: false,
    peak: 0,
    longPeak: 0,
    risingPeak: 0,
    risingLongPeak: 0,
    cusum: 0,
    riseWindow: -1,
    riseScores: [],
    incident: null,
  };
}

/**
 * Adds one record's spend at its window. Records later than one window are added to theirs while it is kept, which is then
 * judged as an open one is: a burst behind a connection that hung for two minutes is a burst. What corrects a record of a
 * closed window says what that window was, and nothing of now.
 */
export function addSpend(
  state: WindowState,
  window: number,
  { nanoUsd, corrects }: { readonly nanoUsd: number; readonly corrects: boolean },
  settings: WindowSettings,
): WindowVerdict | null {
  if (state.window === -1) state.window = window;
  const closing = window > state.window ? closeUntil(state, window, settings) : null;
  // What comes just after its window has closed counts in the next: a window that was judged incomplete must not be compared
  // with a history that was made complete later.
  if (window === state.window || (window === state.window - 1 && !corrects)) {
    state.open += nanoUsd / state.factor;
    state.paid += nanoUsd;
  } else {
    const spend = addLate(state, window, nanoUsd / state.factor);
    if (spend !== null && !corrects) return closing ?? judgeLateWindow(state, { window, spend }, settings);
  }
  return closing ?? judgeOpenWindow(state, settings);
}

/** Closes the windows before `window`. @returns what the closed windows decided, the latest decision if several. */
export function closeUntil(state: WindowState, window: number, settings: WindowSettings): WindowVerdict | null {
  if (state.window === -1 || window <= state.window) return null;
  if (window - state.window > gapWindowsMax) {
    const ended = state.incident === null ? null : verdict(state, state.incident, { status: "resolved", spend: 0 });
    Object.assign(state, newWindowState(), { window, factor: state.factor });
    return ended;
  }
  let decided: WindowVerdict | null = null;
  while (state.window < window) decided = closeWindow(state, settings) ?? decided;
  return decided;
}

function closeWindow(state: WindowState, settings: WindowSettings): WindowVerdict | null {
  const spend = state.open;
  const decided = judgeClosedWindow(state, spend, settings);
  if (state.incident === null) {
    if (state.closedUntil !== state.window - 1) state.closedFrom = state.window;
    state.closed.push(spend);
    state.closedUntil = state.window;
    if (state.closed.length > settings.historyMax) state.closed.shift();
    rememberPeak(state, settings);
    learn(state, settings);
  }
  state.window++;
  state.open = 0;
  state.paid = 0;
  return decided;
}

/** What was seen and forgiven is what an incident has to surpass. */
function rememberPeak(state: WindowState, settings: WindowSettings): void {
  const fading = 2 ** (-1 / settings.peakHalfLife);
  state.peak *= fading;
  state.longPeak *= fading;
  if (!judges(state, settings) || state.centre <= 0) return;
  state.risingPeak = Math.max(state.risingPeak, (state.closed.at(-1) ?? 0) / state.centre);
  if (state.closed.length >= windowsBefore) {
    state.risingLongPeak = Math.max(state.risingLongPeak, mean(state.closed.slice(-windowsBefore)) / state.centre);
  }
  if (state.cusum > 0) return;
  state.peak = Math.max(state.peak, state.risingPeak);
  state.longPeak = Math.max(state.longPeak, state.risingLongPeak);
  Object.assign(state, { risingPeak: 0, risingLongPeak: 0 });
}

function learn(state: WindowState, settings: WindowSettings): void {
  if (state.closed.length < settings.historyMin) return;
  // Corrections can take back more than a window spent.
  state.centre = Math.max(0, median(state.closed), mean(state.closed));
  const robust = 1.4826 * medianAbsoluteDeviation(state.closed);
  const floor = settings.excessNanoUsdMin / settings.zOpen;
  const deviation = standardDeviation(state.closed);
  const widest = Math.max(robust, deviation, state.centre / 5, floor);
  state.spread = widest * (1 + shortHistoryWindows / state.closed.length);
  const filled = state.closed.filter((spend) => spend > 0).length;
  state.bursty = filled * 2 < state.closed.length || deviation > burstyFrom * state.centre;
  // One burst is what the next is measured by: twice the largest, and no less.
  if (state.bursty)
    state.spread = Math.max(state.spread, (2 * Math.max(...state.closed) - state.centre) / settings.zOpen);
}

function judgeOpenWindow(state: WindowState, settings: WindowSettings): WindowVerdict | null {
  if (!standsOut(state, state.open, settings)) return null;
  const incident = begin(state, onsetOf(state, score(state, state.open)), "open_window");
  return verdict(state, incident, { status: "firing", spend: state.open, unclosed: state.open });
}

/**
 * A closed window that has become larger. It is held against the windows before it: what came of the burst in time stands
 * among those since then, which are the incident's, and leave the history with it.
 */
function judgeLateWindow(
  state: WindowState,
  { window, spend }: { readonly window: number; readonly spend: number },
  settings: WindowSettings,
): WindowVerdict | null {
  const before = state.closed.length - risenWindows(state, window);
  if (state.incident !== null || state.closed.some((other, index) => index < before && other > spend)) return null;
  const { centre, spread, bursty } = state;
  const since = state.closed.splice(before);
  learn(state, settings);
  const isIncident = standsOut(state, spend, settings);
  state.closed.push(...since);
  if (isIncident) return verdict(state, begin(state, window, "open_window"), { status: "firing", spend });
  Object.assign(state, { centre, spread, bursty });
  return null;
}

/** Whether one window alone is an incident. */
function standsOut(state: WindowState, spend: number, settings: WindowSettings): boolean {
  if (state.incident !== null || !judges(state, settings)) return false;
  if (score(state, spend) < settings.zOpen || !worthIt(state, spend, settings)) return false;
  return above(state, spend) >= settings.incidentNanoUsdMin && spend >= peakFactor * state.peak * state.centre;
}

function judgeClosedWindow(state: WindowState, spend: number, settings: WindowSettings): WindowVerdict | null {
  if (!judges(state, settings)) return null;
  const z = score(state, spend);
  if (state.incident !== null) return follow(state, state.incident, { spend, z }, settings);
  const step = Math.max(-settings.cusumCap, Math.min(z, settings.cusumCap)) - settings.cusumReference;
  if (state.cusum === 0) {
    state.riseWindow = state.window;
    state.riseScores = [];
  }
  state.cusum = Math.max(0, state.cusum + step);
  if (state.riseScores.length < riseMax) state.riseScores.push(z);
  if (state.cusum < settings.cusumDecision || !worthIt(state, spend, settings)) return null;
  const onset = onsetOf(state, z);
  const rise = [...state.closed.slice(state.closed.length - risenWindows(state, onset)), spend];
  if (!stepsUp(state, rise)) return null;
  if (rise.reduce((sum, each) => sum + above(state, each), 0) < settings.incidentNanoUsdMin) return null;
  if (mean(rise) < peakFactor * state.longPeak * state.centre) return null;
  const incident = begin(state, onset, "cusum");
  incident.excess += above(state, spend);
  return verdict(state, incident, { status: "firing", spend });
}

/**
 * The first window of the rise that was at least half as far out as the rise is on average by now: a CUSUM also begins to add
 * up for a window that was a little high by chance.
 */
function onsetOf(state: WindowState, z: number): number {
  if (state.cusum === 0) return state.window;
  const scores = [...state.riseScores, z].map((each) => Math.min(each, scoreMax));
  const half = mean(scores.slice(-recentScores)) / 2;
  return Math.min(state.window, state.riseWindow + scores.findIndex((each) => each >= half));
}

/**
 * Whether some end of the rise, with the window that closes, is clearly above the windows right before it. Any end: windows
 * are incomplete while records come late, and the first of them may not belong to it.
 */
function stepsUp(state: WindowState, rise: readonly number[]): boolean {
  const windows = [...state.closed, rise.at(-1) ?? 0];
  for (let length = Math.min(stepWindowsMin, rise.length); length <= rise.length; length++) {
    const at = windows.length - length;
    const before = windows.slice(Math.max(0, at - windowsBefore), at);
    if (before.length === 0 || mean(windows.slice(at)) >= stepMin * mean(before)) return true;
  }
  return false;
}

/** How many of the closed windows belong to a rise that began there. */
function risenWindows(state: WindowState, onset: number): number {
  return Math.min(state.closed.length, Math.max(0, state.closedUntil - onset + 1));
}

/** While an incident lasts: adds up its cost and waits for calm. */
function follow(
  state: WindowState,
  incident: WindowIncident,
  { spend, z }: { readonly spend: number; readonly z: number },
  settings: WindowSettings,
): WindowVerdict | null {
  incident.excess += above(state, spend);
  // Calm is what the CUSUM would not add up: ending an incident any higher would only open it again.
  incident.calm = z < settings.cusumReference ? incident.calm + 1 : 0;
  const lasted = state.window - incident.onset >= settings.newNormalWindows;
  if (incident.calm === 0 && !lasted) return verdict(state, incident, { status: "firing", spend });
  if (incident.calm < settings.calmWindows && !lasted) return null;
  const resolved = verdict(state, incident, { status: "resolved", spend });
  state.incident = null;
  if (lasted) state.closed = [];
  return resolved;
}

/** The windows of the rise had entered the history one by one; they are the incident's, not the baseline's. */
function begin(state: WindowState, onset: number, test: WindowIncident["test"]): WindowIncident {
  const risen = risenWindows(state, onset);
  const excess = state.closed
    .splice(state.closed.length - risen, risen)
    .reduce((sum, spend) => sum + above(state, spend), 0);
  state.closedUntil -= risen;
  state.incident = { onset, calm: 0, excess, test };
  Object.assign(state, { risingPeak: 0, risingLongPeak: 0 });
  state.cusum = 0;
  return state.incident;
}

function verdict(
  state: WindowState,
  incident: WindowIncident,
  now: { readonly status: WindowVerdict["status"]; readonly spend: number; readonly unclosed?: number },
): WindowVerdict {
  return {
    status: now.status,
    onset: incident.onset,
    window: state.window,
    observed: now.spend * factorOf(state),
    expected: state.centre * factorOf(state),
    excess: incident.excess + (now.unclosed === undefined ? 0 : above(state, now.unclosed)),
    z: score(state, now.spend),
    historyLength: state.closed.length,
    test: incident.test,
  };
}

/** @returns what its window has by now; null where it is not kept. */
function addLate(state: WindowState, window: number, nanoUsd: number): number | null {
  if (window < state.closedFrom || window > state.closedUntil) return null;
  const index = state.closed.length - 1 - (state.closedUntil - window);
  const known = state.closed[index];
  if (known === undefined) return null;
  state.closed[index] = known + nanoUsd;
  return known + nanoUsd;
}

function judges(state: WindowState, settings: WindowSettings): boolean {
  return state.closed.length >= settings.historyMin && state.spread > 0;
}

function worthIt(state: WindowState, spend: number, settings: WindowSettings): boolean {
  const excess = (spend - state.centre) * factorOf(state);
  return excess >= (state.bursty ? settings.burstExcessNanoUsdMin : settings.excessNanoUsdMin);
}

function above(state: WindowState, spend: number): number {
  return Math.max(0, spend - state.centre) * factorOf(state);
}

/** The season's factor over the open window as its spend had it. */
function factorOf({ open, paid, factor }: WindowState): number {
  return open > 0 && paid > 0 ? paid / open : factor;
}

function score(state: WindowState, spend: number): number {
  return state.spread === 0 ? 0 : (spend - state.centre) / state.spread;
}
