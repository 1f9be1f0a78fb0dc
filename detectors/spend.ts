/** D3: dollars per minute, per quarter of an hour and per four hours, against their season. */

import { type ActivityState, activityEvidence, newActivity, noteActivity, passMinute } from "./activity.ts";
import { type CallCost, dearerShare, newCallCost, noteCallCost, usualDayNanoUsd } from "./call-cost.ts";
import { giveBackCells } from "./cells.ts";
import { type Context, calm, type Detector, type Verdict } from "./detector.ts";
import { addExemplar } from "./exemplars.ts";
import { newSeason, noteSeason, type Season, seasonFactor } from "./season.ts";
import {
  addSpend,
  closeUntil,
  newWindowState,
  type WindowSettings,
  type WindowState,
  type WindowVerdict,
} from "./spend-window.ts";

interface SpendState {
  /** By scale: minute, quarter, four hours. */
  readonly windows: [WindowState, WindowState, WindowState];
  readonly activity: ActivityState;
  readonly season: Season;
  readonly callCost: CallCost;
  /** The minute for which the season's factor was reckoned. */
  factorMinute: number;
  /** The scale that is telling the incident; -1 when calm. */
  telling: number;
  onsetMs: number;
  /** Whether the incident at hand has been worth a page. */
  isPage: boolean;
  /** When the last incident was over: what began before is part of it, at whatever scale it shows later. */
  overMs: number;
  readonly traceIds: string[];
}

const minuteMs = 60_000;
const scales = [
  { windowMs: minuteMs, words: "minute", historyMin: 10, historyMax: 60, calmWindows: 3, newNormalWindows: 1440 },
  {
    windowMs: 15 * minuteMs,
    words: "15 minutes",
    historyMin: 12,
    historyMax: 48,
    calmWindows: 2,
    newNormalWindows: 96,
  },
  { windowMs: 240 * minuteMs, words: "4 hours", historyMin: 12, historyMax: 42, calmWindows: 1, newNormalWindows: 42 },
] as const;

/** Half of a remembered peak is forgotten after so many days. */
const peakDays = 7;
/** The long scales judge once three days have shown what a morning is. */
const seasonHoursMin = 72;
/** Of a rise, what calls must cost more for a page; where more calls come, on-call is not who decides. */
const dearerShareMin = 0.5;
/** A week has shown every season; a rise of so many times the usual is none. */
const weekHours = 168;
const beyondSeasons = 10;
/** A burst is worth a word from so many times the usual least excess. */
const burstFactor = 50;

/** The tests' settings at the scale of a minute. */
export function minuteSettings(chosen: Floors): WindowSettings {
  const [minute] = settingsOfScales(chosen);
  if (minute === undefined) throw new RangeError("no scale of a minute");
  return minute;
}

type Floors = Pick<SpendSettings, "excessUsdPerMinuteMin" | "incidentUsdMin">;

type SpendSettings = {
  /** Excess a minute, and since the onset, that is worth waking anyone for. */
  readonly excessUsdPerMinuteMin: number;
  readonly incidentUsdMin: number;
  /** The same where calls cost what they did and only more of them come, and of how many usual days it must be the spend. */
  readonly volumeUsdMin: number;
  readonly volumeDaysMin: number;
};

export const spend: Detector<SpendState, SpendSettings> = {
  id: "D3",
  name: "spend",
  summary: "dollars per minute, 15 minutes or 4 hours above their season",
  method:
    "Robust z-score of the open window, decided as its sum crosses, and a CUSUM over closed windows for lasting rises, at three scales. A page where calls have become dearer; more calls at the usual cost are a ticket until they have cost a quarter of a usual day.",
  kinds: ["spend_above_baseline"],
  scopes: ["tenant", "feature"],
  mode: "page",
  settings: { excessUsdPerMinuteMin: 0.02, incidentUsdMin: 1, volumeUsdMin: 20, volumeDaysMin: 0.25 },
  stateBytesMax: 4096,
  newState: (store) => ({
    windows: [newWindowState(), newWindowState(), newWindowState()],
    activity: newActivity(),
    season: newSeason(store),
    callCost: newCallCost(),
    factorMinute: -1,
    telling: -1,
    onsetMs: 0,
    isPage: false,
    overMs: 0,
    traceIds: [],
  }),
  forget: ({ season }) => giveBackCells(season),
  observe(state, observation, context) {
    if (observation.nanoUsd === null) return calm;
    noteActivity(state.activity, observation, state.telling === -1);
    noteCallCost(state.callCost, observation, state.telling === -1);
    noteSeason(state.season, observation.atMs, observation.nanoUsd);
    applySeason(state, observation.atMs, context);
    const { calls, record } = observation;
    const told = decide(state, context, observation.atMs, {
      nanoUsd: observation.nanoUsd,
      corrects: calls === 0 && record.revision > 0,
    });
    if (state.telling !== -1) addExemplar(state.traceIds, observation.record.traceId);
    return told === null ? calm : [claim(state, told, observation.atMs, context.settings)];
  },
  tick(state, nowMs, context) {
    passMinute(state.activity, Math.floor(nowMs / minuteMs), state.telling === -1);
    applySeason(state, nowMs, context);
    const told = decide(state, context, nowMs, null);
    return told === null ? calm : [claim(state, told, nowMs, context.settings)];
  },
  acknowledge(state) {
    for (const window of state.windows) Object.assign(window, newWindowState());
    // The season stays: a new level has the same nights.
    state.factorMinute = -1;
    state.telling = -1;
    state.traceIds.length = 0;
  },
};

/** Windows are filled and kept, and nothing is said. */
const unjudged: WindowSettings = {
  historyMin: Number.POSITIVE_INFINITY,
  historyMax: 48,
  zOpen: Number.POSITIVE_INFINITY,
  cusumReference: 1,
  cusumDecision: 8,
  cusumCap: 4,
  excessNanoUsdMin: 0,
  burstExcessNanoUsdMin: 0,
  incidentNanoUsdMin: 0,
  peakHalfLife: 1,
  calmWindows: 1,
  newNormalWindows: 1,
};

function applySeason(state: SpendState, atMs: number, { parent }: Context<SpendSettings>): void {
  const minute = Math.floor(atMs / minuteMs);
  if (minute <= state.factorMinute) return;
  state.factorMinute = minute;
  const factor = seasonFactor(state.season, (parent as SpendState | null)?.season ?? null, atMs);
  for (const window of state.windows) window.factor = factor;
}

interface Scaled {
  readonly scale: number;
  readonly verdict: WindowVerdict;
}

/**
 * Adds spend, or lets time pass where it is null. One incident at a time: the scale that noticed first tells it until it is
 * over there.
 */
function decide(
  state: SpendState,
  context: Context<SpendSettings>,
  atMs: number,
  spend: { readonly nanoUsd: number; readonly corrects: boolean } | null,
): Scaled | null {
  const settings = settingsOfScales(context.settings);
  let told: Scaled | null = null;
  for (let index = 0; index < scales.length; index++) {
    const known = index === 0 || state.season.hours >= seasonHoursMin;
    const [scale, window, ofScale] = [scales[index], state.windows[index], known ? settings[index] : unjudged];
    if (scale === undefined || window === undefined || ofScale === undefined) continue;
    const calmBefore = window.incident === null;
    const at = Math.floor(atMs / scale.windowMs);
    const verdict = spend === null ? closeUntil(window, at, ofScale) : addSpend(window, at, spend, ofScale);
    if (verdict === null) continue;
    const begins = calmBefore && verdict.status === "firing" && verdict.onset * scale.windowMs >= state.overMs;
    if (state.telling === -1 && begins) {
      state.telling = index;
      state.onsetMs = verdict.onset * scale.windowMs;
      state.isPage = false;
    }
    if (state.telling === index) told = { scale: index, verdict };
  }
  return told;
}

function claim(state: SpendState, { scale: index, verdict }: Scaled, atMs: number, settings: SpendSettings): Verdict {
  const scale = scales[index] ?? scales[0];
  const minutes = scale.windowMs / minuteMs;
  const observed = Math.round(verdict.observed / minutes);
  const expected = Math.round(verdict.expected / minutes);
  // Of an incident that is over, what calls cost now says nothing.
  if (verdict.status === "firing") state.isPage ||= isWorthPage(state, verdict, scale.windowMs, settings);
  const told: Verdict = {
    kind: "spend_above_baseline",
    status: verdict.status,
    atMs: Math.round(atMs),
    onsetMs: state.onsetMs,
    unit: "nano_usd_per_minute",
    observed,
    expected,
    direction: "up",
    effect: expected > 0 ? `spend is ${(observed / expected).toFixed(1)}x the usual` : "spend where there was none",
    confidence: confidence(verdict.z),
    impactNanoUsd: Math.round(verdict.excess),
    impactNanoUsdPerHour: Math.max(0, observed - expected) * 60,
    traceIds: [...state.traceIds],
    evidence: {
      z: Math.round(verdict.z * 100) / 100,
      window: scale.words,
      history_windows: verdict.historyLength,
      test: verdict.test,
      ...activityEvidence(state.activity, Math.floor((verdict.window * scale.windowMs) / minuteMs)),
    },
    ...(state.isPage ? {} : { ticketOnly: true }),
  };
  if (verdict.status === "resolved") {
    state.telling = -1;
    state.overMs = (verdict.window + 1) * scale.windowMs;
    state.traceIds.length = 0;
  }
  return told;
}

/**
 * Calls that have become dearer are waste until somebody says otherwise. More calls at the usual cost are what success looks
 * like too: they page once they have cost what cannot wait, and no season that is still unknown can be the reason.
 */
function isWorthPage(
  { callCost, season }: SpendState,
  { observed, expected, excess }: WindowVerdict,
  windowMs: number,
  settings: SpendSettings,
): boolean {
  if (dearerShare(callCost, { observed, expected, windowMs }) >= dearerShareMin) return true;
  const isKnown = season.hours >= weekHours || observed >= beyondSeasons * expected;
  const usualDay = usualDayNanoUsd(callCost);
  return isKnown && excess >= settings.volumeUsdMin * 1e9 && excess >= settings.volumeDaysMin * usualDay;
}

/** One minus Cantelli's bound on how often a calm window is as far out, whatever its distribution. */
function confidence(z: number): number {
  const distance = Math.max(0, z);
  return (distance * distance) / (1 + distance * distance);
}

/** By what was chosen, since every record asks for them. */
const reckoned = new WeakMap<Floors, readonly WindowSettings[]>();

function settingsOfScales(chosen: Floors): readonly WindowSettings[] {
  const found = reckoned.get(chosen);
  if (found !== undefined) return found;
  const made = scales.map((scale) => {
    const excessNanoUsdMin = (chosen.excessUsdPerMinuteMin * 1e9 * scale.windowMs) / minuteMs;
    return {
      historyMin: scale.historyMin,
      historyMax: scale.historyMax,
      zOpen: 6,
      cusumReference: 1,
      cusumDecision: 8,
      cusumCap: 4,
      excessNanoUsdMin,
      burstExcessNanoUsdMin: burstFactor * excessNanoUsdMin,
      incidentNanoUsdMin: chosen.incidentUsdMin * 1e9,
      peakHalfLife: (peakDays * 24 * 60 * minuteMs) / scale.windowMs,
      calmWindows: scale.calmWindows,
      newNormalWindows: scale.newNormalWindows,
    };
  });
  reckoned.set(chosen, made);
  return made;
}
