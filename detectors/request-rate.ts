/** D4: calls come much more often than they do at this time. */

import type { CellStore } from "./cells.ts";
import { type Context, calm, type Detector, type Verdict } from "./detector.ts";
import {
  countCalls,
  dispersion,
  endsMinute,
  forgetMinuteCounts,
  type MinuteCounts,
  newMinuteCounts,
  passMinutes,
  usualCount,
} from "./minute-counts.ts";

type RateSettings = {
  /** Evidence at which to alarm: at most one false alarm in so many minutes. */
  readonly alarmAtMinutes: number;
  /** Rises up to this factor are forgiven; those of a peak that was forgiven before; evidence is
   * gathered for a rise beyond it by `betFactor`.
   */
  readonly forgivenFactor: number;
  readonly betFactor: number;
  readonly minutesMin: number;
  readonly callsPerMinuteMin: number;
  readonly calmMinutes: number;
};

interface RequestRateState {
  readonly counts: MinuteCounts;
  evidence: number;
  /** CUSUM of the same odds, and the minute in which it last began: when the rise most likely did. */
  cusum: number;
  riseMinute: number;
  /** Mean of the latest minutes; the largest multiple of the usual that it had in calm times, fading; that of the rise at hand. */
  recent: number;
  peak: number;
  risingPeak: number;
  firing: {
    readonly onsetMinute: number;
    readonly evidence: number;
    calm: number;
    calls: number;
    minutes: number;
  } | null;
}

const minuteMs = 60_000;
/** One minute alone never decides: a burst is no rate. */
const minuteOddsMax = 100;
/** A peak is that of a mean over about so many minutes, and half of it is forgotten after seven days. */
const recentMinutes = 5;
const peakMinutes = 7 * 24 * 60;
/** An alarm that lasts for so many minutes is the new normal. */
const newNormalMinutes = 24 * 60;
const minutesPerChange = 1e4;

export const requestRate: Detector<RequestRateState, RateSettings> = {
  id: "D4",
  name: "request-rate",
  summary: "calls come more often than at this time of the day and week",
  method:
    "Shiryaev-Roberts over minutes with negative binomial likelihood ratios, whose spread is the series' own; one minute alone never decides.",
  kinds: ["request_rate_rise"],
  scopes: ["tenant", "feature"],
  mode: "ticket",
  settings: {
    alarmAtMinutes: 1e6,
    forgivenFactor: 1.3,
    betFactor: 2,
    minutesMin: 60,
    callsPerMinuteMin: 2,
    calmMinutes: 5,
  },
  stateBytesMax: 2048,
  newState: newRequestRate,
  forget: ({ counts }) => forgetMinuteCounts(counts),
  observe(state, { calls, atMs }, context) {
    if (calls < 1) return calm;
    const verdicts = endsMinute(state.counts, atMs) ? closeMinutes(state, atMs, context) : calm;
    countCalls(state.counts, atMs, calls);
    return verdicts;
  },
  tick: closeMinutes,
  acknowledge(state) {
    forgetMinuteCounts(state.counts);
    Object.assign(state, newRequestRate(state.counts.season.store));
  },
};

function newRequestRate(store: CellStore | null = null): RequestRateState {
  return {
    counts: newMinuteCounts(store),
    evidence: 0,
    cusum: 0,
    riseMinute: -1,
    recent: 0,
    peak: 0,
    risingPeak: 0,
    firing: null,
  };
}

function closeMinutes(state: RequestRateState, nowMs: number, context: Context<RateSettings>): readonly Verdict[] {
  const verdicts: Verdict[] = [];
  passMinutes(state.counts, Math.floor(nowMs / minuteMs), (count, minute) =>
    closeMinute(state, { count, minute, atMs: nowMs }, context, verdicts),
  );
  return verdicts;
}

/** What was seen and forgiven is what an incident has to surpass. */
function rememberPeak(state: RequestRateState, count: number, usual: number): void {
  state.recent += (count - state.recent) / recentMinutes;
  state.peak *= 2 ** (-1 / peakMinutes);
  state.risingPeak = Math.max(state.risingPeak, state.recent / usual);
  if (state.cusum > 1) return;
  state.peak = Math.max(state.peak, state.risingPeak);
  state.risingPeak = 0;
}

/** @returns whether the minute is one to learn from. */
function closeMinute(
  state: RequestRateState,
  { count, minute, atMs }: { readonly count: number; readonly minute: number; readonly atMs: number },
  { settings, parent }: Context<RateSettings>,
  verdicts: Verdict[],
): boolean {
  const { counts } = state;
  const parentCounts = (parent as RequestRateState | null)?.counts ?? null;
  const usual = Math.max(settings.callsPerMinuteMin, usualCount(counts, parentCounts, minute));
  const forgiven = usual * Math.max(settings.forgivenFactor, state.peak);
  if (state.firing !== null) return follow(state, state.firing, { count, usual, forgiven, atMs }, settings, verdicts);
  if (counts.minutes < settings.minutesMin) return true;
  const size = dispersion(counts, usual);
  const expected = forgiven * settings.betFactor;
  const logOdds =
    count * Math.log(expected / forgiven) - (count + size) * Math.log((size + expected) / (size + forgiven));
  const odds = Math.min(minuteOddsMax, Math.exp(logOdds));
  if (state.cusum <= 1) state.riseMinute = minute;
  state.cusum = Math.min(1e30, Math.max(1, state.cusum) * odds);
  state.evidence = Math.min(1e30, (state.evidence + 1) * odds);
  rememberPeak(state, count, usual);
  if (state.evidence < settings.alarmAtMinutes || count < forgiven) return true;
  state.firing = { onsetMinute: state.riseMinute, evidence: state.evidence, calm: 0, calls: count, minutes: 1 };
  verdicts.push(claim(state.firing, "firing", count, usual, atMs));
  return false;
}

function follow(
  state: RequestRateState,
  firing: NonNullable<RequestRateState["firing"]>,
  { count, usual, forgiven, atMs }: Record<"count" | "usual" | "forgiven" | "atMs", number>,
  settings: RateSettings,
  verdicts: Verdict[],
): boolean {
  firing.calls += count;
  firing.minutes++;
  firing.calm = count < forgiven ? firing.calm + 1 : 0;
  const over = firing.calm >= settings.calmMinutes || firing.minutes >= newNormalMinutes;
  if (!over) return false;
  verdicts.push(claim(firing, "resolved", firing.calls / firing.minutes, usual, atMs));
  if (firing.minutes >= newNormalMinutes) requestRate.acknowledge(state);
  else Object.assign(state, { evidence: 0, cusum: 0, riseMinute: -1, risingPeak: 0, firing: null });
  return false;
}

function claim(
  { onsetMinute, evidence }: NonNullable<RequestRateState["firing"]>,
  status: Verdict["status"],
  observed: number,
  usual: number,
  atMs: number,
): Verdict {
  return {
    kind: "request_rate_rise",
    status,
    atMs: Math.round(atMs),
    onsetMs: Math.min(Math.round(atMs), onsetMinute * minuteMs),
    unit: "calls_per_minute",
    observed,
    expected: usual,
    direction: "up",
    effect: `calls are ${(observed / usual).toFixed(1)}x as frequent`,
    confidence: evidence / (evidence + minutesPerChange),
    impactNanoUsd: 0,
    impactNanoUsdPerHour: 0,
    traceIds: [],
    evidence: { evidence: Number(evidence.toPrecision(3)) },
  };
}
