/** D9: a series says nothing any more while its parent lives: broken telemetry, or a feature that is down, is no saving. */

import { calm, type Detector, type Verdict } from "./detector.ts";
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

type QuietSettings = {
  /** Logarithm of how unlikely the silence must be: 16 is one in nine million. */
  readonly surpriseMin: number;
  readonly minutesMin: number;
  /** The parent has said something within so many minutes, and so long after this series did. */
  readonly parentMinutesMax: number;
};

interface QuietState {
  counts: MinuteCounts;
  /** Minus the logarithm of the probability of the silence so far. */
  surprise: number;
  firing: { readonly onsetMs: number; readonly usual: number } | null;
}

const minuteMs = 60_000;
const always = () => true;
const never = () => false;

export const goneQuiet: Detector<QuietState, QuietSettings> = {
  id: "D9",
  name: "gone-quiet",
  summary: "a tenant or feature has fallen silent while the rest goes on",
  method:
    "Probability of no call at all, minute by minute, under a negative binomial with the series' own mean, season and spread; only while the parent series is alive.",
  kinds: ["gone_quiet"],
  scopes: ["fleet", "tenant", "feature"],
  mode: "ticket",
  settings: { surpriseMin: 16, minutesMin: 60, parentMinutesMax: 2 },
  stateBytesMax: 2048,
  newState: (store) => ({ counts: newMinuteCounts(store), surprise: 0, firing: null }),
  forget: ({ counts }) => forgetMinuteCounts(counts),
  observe(state, { calls, atMs }) {
    if (calls < 1) return calm;
    const { counts, firing } = state;
    if (endsMinute(counts, atMs)) passMinutes(counts, Math.floor(atMs / minuteMs), firing === null ? always : never);
    countCalls(counts, atMs, calls);
    state.surprise = 0;
    if (firing === null) return calm;
    const verdict = claim(firing, "resolved", { atMs: Math.max(atMs, firing.onsetMs), surprise: 0 });
    state.firing = null;
    return [verdict];
  },
  tick(state, nowMs, { settings, parent }) {
    const { counts } = state;
    const above = (parent as QuietState | null)?.counts ?? null;
    passMinutes(counts, Math.floor(nowMs / minuteMs), (count, minute) => {
      const usual = usualCount(counts, above, minute);
      const size = dispersion(counts, usual);
      if (count === 0) state.surprise += size * Math.log1p(usual / size);
      // A silence that may be an outage is not learnt from.
      return count > 0 || state.surprise < settings.surpriseMin / 2;
    });
    // The parent lives when it has gone on since: a whole that ends, all parts at once, is for its own parent to judge.
    const patienceMs = settings.parentMinutesMax * minuteMs;
    const alive = above !== null && nowMs - above.lastMs <= patienceMs && above.lastMs - counts.lastMs >= patienceMs;
    const judged = counts.minutes >= settings.minutesMin && state.surprise >= settings.surpriseMin;
    if (!judged || !alive || state.firing !== null) return calm;
    state.firing = { onsetMs: counts.lastMs, usual: usualCount(counts, above, Math.floor(nowMs / minuteMs)) };
    return [claim(state.firing, "firing", { atMs: nowMs, surprise: state.surprise })];
  },
  acknowledge(state) {
    forgetMinuteCounts(state.counts);
    Object.assign(state, { counts: newMinuteCounts(state.counts.season.store), surprise: 0, firing: null });
  },
};

function claim(
  { onsetMs, usual }: NonNullable<QuietState["firing"]>,
  status: Verdict["status"],
  { atMs, surprise }: { readonly atMs: number; readonly surprise: number },
): Verdict {
  const minutes = Math.max(1, Math.round((atMs - onsetMs) / minuteMs));
  return {
    kind: "gone_quiet",
    status,
    atMs: Math.round(atMs),
    onsetMs: Math.round(onsetMs),
    unit: "calls_per_minute",
    observed: 0,
    expected: usual,
    direction: "down",
    effect: `no call for ${minutes} ${minutes === 1 ? "minute" : "minutes"}`,
    confidence: 1 - Math.max(1e-12, Math.exp(-surprise)),
    impactNanoUsd: 0,
    impactNanoUsdPerHour: 0,
    traceIds: [],
    evidence: { surprise: Math.round(surprise * 10) / 10 },
  };
}
