/** L10: a new version of a prompt costs more a call than the version before it. */

import type { Block } from "./cells.ts";
import { calm, type Detector, type Verdict } from "./detector.ts";
import { addExemplar } from "./exemplars.ts";
import { addBin, type Histogram, newHistogram, rankOf } from "./histogram.ts";
import { binOf } from "./log-bins.ts";
import { bet, newWealth, oddsFor } from "./rank-bets.ts";

type RegressionSettings = {
  /** Calls of the old version before a new one is judged. */
  readonly referenceMin: number;
  /** Mean of 2 rank - 1 that is forgiven at least. */
  readonly marginMin: number;
  /** Smallest ratio of the mean costs that is worth a word. */
  readonly meanRatioMin: number;
  /** A version with so many calls is the established one. */
  readonly establishedCalls: number;
};

interface Version {
  readonly name: string;
  calls: number;
  nanoUsd: number;
  readonly costs: Histogram;
}

interface RegressionState {
  /** The version in use; null before the first call. */
  old: Version | null;
  /** The one that is being judged. */
  fresh: (Version & { readonly wealth: Block; readonly sinceMs: number; firing: boolean; evidence: number }) | null;
  readonly traceIds: string[];
}

const nanoPerBin = 100;
const callsMin = 16;
const callsPerChange = 1e5;
const versionNameMax = 64;
const hourMs = 3_600_000;

export const promptRegression: Detector<RegressionState, RegressionSettings> = {
  id: "L10",
  name: "prompt-regression",
  summary: "a new version of a prompt costs more a call than the one before",
  method:
    "Rank of each call of the new version among the costs of the old one, bet upon by the portfolio of D1 with a margin for how few the old calls are: at most N / A false alarms in N calls.",
  kinds: ["prompt_regression"],
  scopes: ["prompt"],
  mode: "ticket",
  settings: { referenceMin: 100, marginMin: 0.05, meanRatioMin: 1.1, establishedCalls: 2000 },
  stateBytesMax: 8192,
  newState: () => ({ old: null, fresh: null, traceIds: [] }),
  observe(state, { record, calls, failed, nanoUsd, tieBreak, atMs }, { alarmAt, settings }) {
    if (calls !== 1 || failed || nanoUsd === null || record.promptVersion === "") return calm;
    const name = record.promptVersion.slice(0, versionNameMax);
    const bin = binOf(Math.max(0, nanoUsd) / nanoPerBin);
    state.old ??= newVersion(name);
    if (state.old.name === name) return count(state.old, bin, nanoUsd);
    if (state.old.calls < settings.referenceMin) return replaceOld(state, name, bin, nanoUsd);
    // A third version is judged when the second is no longer.
    state.fresh ??= { ...newVersion(name), wealth: newWealth(), sinceMs: atMs, firing: false, evidence: 0 };
    const { fresh } = state;
    if (fresh.name !== name) return calm;
    const margin = Math.max(settings.marginMin, 4.5 / Math.sqrt(3 * state.old.costs.total));
    const evidence = bet(fresh.wealth, rankOf(state.old.costs, bin, tieBreak), oddsFor(margin));
    count(fresh, bin, nanoUsd);
    if (!fresh.firing) addExemplar(state.traceIds, record.traceId);
    if (fresh.calls >= settings.establishedCalls) return establish(state, atMs);
    const dearer = fresh.nanoUsd / fresh.calls >= (settings.meanRatioMin * state.old.nanoUsd) / state.old.calls;
    if (fresh.firing || fresh.calls < callsMin || evidence < alarmAt || !dearer) return calm;
    fresh.firing = true;
    fresh.evidence = evidence;
    return [claim(state, state.old, fresh, { status: "firing", atMs })];
  },
  tick: () => calm,
  acknowledge(state) {
    establish(state, 0);
  },
};

function newVersion(name: string): Version {
  return { name, calls: 0, nanoUsd: 0, costs: newHistogram() };
}

function count(version: Version, bin: number, nanoUsd: number): readonly Verdict[] {
  version.calls++;
  version.nanoUsd += nanoUsd;
  addBin(version.costs, bin);
  return calm;
}

/** A version of a few calls is no measure of another. */
function replaceOld(state: RegressionState, name: string, bin: number, nanoUsd: number): readonly Verdict[] {
  state.old = newVersion(name);
  return count(state.old, bin, nanoUsd);
}

/** The new version has become the usual one. */
function establish(state: RegressionState, atMs: number): readonly Verdict[] {
  const { old, fresh } = state;
  if (old === null || fresh === null) return calm;
  const verdicts = fresh.firing ? [claim(state, old, fresh, { status: "resolved", atMs })] : calm;
  const { name, calls, nanoUsd, costs } = fresh;
  state.old = { name, calls, nanoUsd, costs };
  state.fresh = null;
  state.traceIds.length = 0;
  return verdicts;
}

function claim(
  { traceIds }: RegressionState,
  old: Version,
  fresh: NonNullable<RegressionState["fresh"]>,
  { status, atMs }: { readonly status: Verdict["status"]; readonly atMs: number },
): Verdict {
  const [observed, expected] = [fresh.nanoUsd / fresh.calls, old.nanoUsd / Math.max(1, old.calls)];
  const onsetMs = Math.min(fresh.sinceMs, atMs);
  const excess = Math.max(0, fresh.nanoUsd - fresh.calls * expected);
  const times = expected > 0 ? `${(observed / expected).toFixed(1)}x ` : "more than ";
  return {
    kind: "prompt_regression",
    status,
    atMs: Math.round(atMs),
    onsetMs: Math.round(onsetMs),
    unit: "nano_usd_per_call",
    observed: Math.round(observed),
    expected: Math.round(expected),
    direction: "up",
    effect: `version ${fresh.name} costs ${times}what version ${old.name} costs a call`,
    confidence: fresh.evidence / (fresh.evidence + callsPerChange),
    impactNanoUsd: Math.round(excess),
    impactNanoUsdPerHour: Math.round((excess * hourMs) / Math.max(60_000, atMs - onsetMs)),
    traceIds: [...traceIds],
    evidence: {
      evidence: Number(fresh.evidence.toPrecision(3)),
      calls: fresh.calls,
      usual_calls: old.calls,
      version: fresh.name,
      usual_version: old.name,
    },
  };
}
