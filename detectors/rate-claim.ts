/** A risen rate in the words of a finding. */

import type { Verdict } from "./detector.ts";
import type { RateVerdict } from "./rate.ts";

/** How a rate is called: its kind, and its subject as in "errors are". */
export interface NamedRate {
  readonly kind: string;
  readonly words: string;
}

const callsPerChange = 1e5;
const hourMs = 3_600_000;

/** The claim that a rate has risen, or that it has fallen back. */
export function rateClaim({ kind, words }: NamedRate, verdict: RateVerdict, atMs: number): Verdict {
  const times = verdict.expected > 0 ? verdict.observed / verdict.expected : 0;
  const lastedMs = Math.max(60_000, atMs - verdict.onsetMs);
  const percent = (share: number) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
  return {
    kind,
    status: verdict.status,
    atMs: Math.round(atMs),
    onsetMs: Math.min(Math.round(verdict.onsetMs), Math.round(atMs)),
    unit: "share",
    observed: round(verdict.observed),
    expected: round(verdict.expected),
    direction: "up",
    effect:
      times > 1
        ? `${words} ${times.toFixed(1)}x as frequent: ${percent(verdict.observed)} of calls`
        : `${words} at ${percent(verdict.observed)} of calls`,
    confidence: verdict.evidence / (verdict.evidence + callsPerChange),
    impactNanoUsd: Math.round(verdict.impactNanoUsd),
    impactNanoUsdPerHour: Math.round((verdict.impactNanoUsd * hourMs) / lastedMs),
    traceIds: verdict.traceIds,
    evidence: {
      evidence: Number(verdict.evidence.toPrecision(3)),
      calls: Math.round(verdict.calls),
      usual_calls: Math.round(verdict.referenceSize),
      forgiven_up_to: round(verdict.limit),
      ...(verdict.newNormal ? { resolved_as: "new normal" } : {}),
    },
  };
}

function round(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
