/** A shift in the words of a finding. */

import type { Unit } from "../src/model/finding.ts";
import type { Verdict } from "./detector.ts";
import type { ShiftVerdict } from "./shift.ts";

/** How a measure is called in kinds and in words. */
export interface Measure {
  /** Prefix of the kind, e.g. `input_tokens` of `input_tokens_shift`. */
  readonly name: string;
  readonly unit: Unit;
  /** What multiplies a value for its unit: costs are counted in 100 nano-dollars. */
  readonly scale: number;
  /** "inputs are", "longer". */
  readonly subject: string;
  readonly comparative: string;
}

/** One change in so many calls is what is taken for granted before looking. */
const callsPerChange = 1e5;
const hourMs = 3_600_000;

/** The claim that a measure has shifted, or that it has shifted back. */
export function shiftClaim(measure: Measure, verdict: ShiftVerdict, atMs: number): Verdict {
  const ratio = verdict.expected > 0 ? verdict.observed / verdict.expected : 0;
  const lastedMs = Math.max(60_000, atMs - verdict.onsetMs);
  return {
    kind: `${measure.name}_shift`,
    status: verdict.status,
    atMs: Math.round(atMs),
    onsetMs: Math.round(verdict.onsetMs),
    unit: measure.unit,
    observed: round(verdict.observed * measure.scale),
    expected: round(verdict.expected * measure.scale),
    direction: "up",
    effect: effectInWords(measure, ratio),
    confidence: verdict.evidence / (verdict.evidence + callsPerChange),
    impactNanoUsd: Math.round(verdict.impactNanoUsd),
    impactNanoUsdPerHour: Math.round((verdict.impactNanoUsd * hourMs) / lastedMs),
    traceIds: verdict.traceIds,
    evidence: {
      evidence: Number(verdict.evidence.toPrecision(3)),
      calls: Math.round(verdict.values),
      usual_calls: Math.round(verdict.referenceSize),
      psi: round(verdict.distance.psi),
      w1_factor: round(verdict.distance.factor),
      ks: round(verdict.distance.ks),
      ...(verdict.newNormal ? { resolved_as: "new normal" } : {}),
    },
  };
}

/** "inputs are 1.8x longer"; of a shift from nothing, "inputs are longer". */
export function effectInWords({ subject, comparative }: Measure, ratio: number): string {
  return ratio > 0 && Number.isFinite(ratio)
    ? `${subject} ${ratio.toFixed(ratio < 10 ? 1 : 0)}x ${comparative}`
    : `${subject} ${comparative}`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
