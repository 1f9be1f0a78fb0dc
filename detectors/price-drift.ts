/** L12: what the provider or gateway reports to have charged is not what our price list says. */

import { calm, type Detector, type Verdict } from "./detector.ts";
import { addExemplar } from "./exemplars.ts";

type DriftSettings = {
  /** Relative difference that is worth a word. */
  readonly differenceMin: number;
  /** Dollars over which it is reckoned. */
  readonly windowUsd: number;
};

interface DriftState {
  /** Nano-dollars of the calls of the open window, as reported and by the list. */
  reported: number;
  listed: number;
  calls: number;
  openedMs: number;
  readonly traceIds: string[];
  firing: { readonly onsetMs: number; impact: number } | null;
}

const hourMs = 3_600_000;

export const priceDrift: Detector<DriftState, DriftSettings> = {
  id: "L12",
  name: "price-drift",
  summary: "the cost that the provider reports differs from our price list",
  method:
    "Sum of reported over sum of listed cost, in windows of a dollar, over the calls that have both: a wrong price table, a discount, or a cache tier that nobody reports.",
  kinds: ["price_drift"],
  scopes: ["provider"],
  mode: "ticket",
  settings: { differenceMin: 0.005, windowUsd: 1 },
  stateBytesMax: 1024,
  newState: () => ({ reported: 0, listed: 0, calls: 0, openedMs: 0, traceIds: [], firing: null }),
  begins: ({ record }) => record.reportedNanoUsd !== null,
  observe(state, { record, calls, nanoUsd, atMs }, { settings }) {
    // Where the emitter's figure is our figure there is nothing to compare.
    if (calls < 1 || record.costStatus !== "priced" || record.reportedNanoUsd === null || nanoUsd === null) return calm;
    if (state.calls === 0) state.openedMs = atMs;
    state.calls += calls;
    state.reported += record.reportedNanoUsd;
    state.listed += nanoUsd;
    addExemplar(state.traceIds, record.traceId);
    if (Math.max(state.listed, state.reported) < settings.windowUsd * 1e9) return calm;
    const verdicts = judge(state, atMs, settings);
    Object.assign(state, { reported: 0, listed: 0, calls: 0 });
    return verdicts;
  },
  tick: () => calm,
  acknowledge(state) {
    Object.assign(state, { reported: 0, listed: 0, calls: 0, firing: null });
  },
};

function judge(state: DriftState, atMs: number, settings: DriftSettings): readonly Verdict[] {
  const differs = Math.abs(state.reported - state.listed) > settings.differenceMin * Math.max(1, state.listed);
  const { firing } = state;
  if (differs && firing === null) {
    state.firing = { onsetMs: Math.min(state.openedMs, atMs), impact: state.reported - state.listed };
    return [claim(state, state.firing, "firing", atMs)];
  }
  if (firing === null) return calm;
  firing.impact += state.reported - state.listed;
  if (differs) return calm;
  state.firing = null;
  return [claim(state, firing, "resolved", atMs)];
}

function claim(
  { reported, listed, calls, traceIds }: DriftState,
  { onsetMs, impact }: NonNullable<DriftState["firing"]>,
  status: Verdict["status"],
  atMs: number,
): Verdict {
  const nowMs = Math.max(atMs, onsetMs);
  const percent = listed > 0 ? `${Math.abs((100 * (reported - listed)) / listed).toFixed(1)} % ` : "";
  return {
    kind: "price_drift",
    status,
    atMs: Math.round(nowMs),
    onsetMs: Math.round(onsetMs),
    unit: "nano_usd_per_call",
    observed: Math.round(reported / Math.max(1, calls)),
    expected: Math.round(listed / Math.max(1, calls)),
    direction: reported > listed ? "up" : "down",
    effect: `the reported cost is ${percent}${reported > listed ? "above" : "below"} our price list`,
    confidence: 0.999,
    impactNanoUsd: Math.round(impact),
    impactNanoUsdPerHour: Math.round((impact * hourMs) / Math.max(60_000, nowMs - onsetMs)),
    traceIds: [...traceIds],
    evidence: { calls, reported_nano_usd: Math.round(reported), listed_nano_usd: Math.round(listed) },
  };
}
