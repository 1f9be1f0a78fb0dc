/** A detector's claim with evidence, and the alert it becomes. */

import type { NanoUsd } from "./money.ts";

/** What a baseline is kept for. A parent leaves the narrower names out; a claim about everything names nothing. */
export interface Series {
  readonly tenant?: string;
  readonly service?: string;
  readonly feature?: string;
  readonly provider?: string;
  readonly model?: string;
  readonly promptName?: string;
  readonly promptVersion?: string;
  readonly agent?: string;
  readonly user?: string;
  readonly session?: string;
  readonly run?: string;
  /** The process that sent the records. */
  readonly instance?: string;
}

export type Severity = "info" | "ticket" | "page";

/** What `observed` and `expected` are counted in. Shares are between 0 and 1, ratios are multiples of the usual. */
export type Unit =
  | "nano_usd_per_minute"
  | "nano_usd_per_call"
  | "nano_usd"
  | "tokens_per_call"
  | "calls_per_minute"
  | "calls"
  | "share"
  | "ratio"
  | "seconds"
  | "tokens_per_joule";

export type Direction = "up" | "down" | "shape";

/** The claim itself, as a detector makes it about one series. */
export interface Claim {
  /** What kind of incident, e.g. `spend_above_baseline`. With the series it names the incident. */
  readonly kind: string;
  /** `firing` opens or updates the incident of (kind, series); `resolved` ends it. */
  readonly status: "firing" | "resolved";
  /** Unix milliseconds of the record or tick that decided to tell it. */
  readonly atMs: number;
  /** Unix milliseconds since when the behaviour differs. */
  readonly onsetMs: number;
  readonly unit: Unit;
  readonly observed: number;
  readonly expected: number;
  readonly direction: Direction;
  /** The effect in words, for a person: "inputs are 1.8x longer". */
  readonly effect: string;
  /** How sure, between 0 and 1: the posterior probability of a change, or 1 minus the p-value. */
  readonly confidence: number;
  /** Nano-dollars above the expectation since the onset; 0 where the claim is not about money. */
  readonly impactNanoUsd: NanoUsd;
  /** Nano-dollars an hour above the expectation, at the present rate. */
  readonly impactNanoUsdPerHour: NanoUsd;
  /** At most three traces that show it. */
  readonly traceIds: readonly string[];
  /** What else the judgement rests on, all finite numbers or words. */
  readonly evidence: Readonly<Record<string, string | number>>;
}

export interface Finding extends Claim {
  readonly detector: string;
  readonly series: Series;
  readonly severity: Severity;
  /** Claims about the same incident that this one explains: of its parts, or by other detectors. */
  readonly folded: readonly FoldedClaim[];
}

/** What names an incident. */
export type IncidentName = Pick<Finding, "kind" | "series">;

/** A claim that is not told on its own. */
export interface FoldedClaim extends Pick<Finding, "detector" | "kind" | "series" | "effect" | "onsetMs"> {}

/** What names the series of one detector. */
export type ClaimName = Pick<FoldedClaim, "detector" | "kind" | "series">;

/** What on-call sees. Labels name the incident and hold no values and no times; annotations say the rest. */
export interface Alert {
  /** 16 hex digits over kind and labels: equal for the same incident, for ever. */
  readonly fingerprint: string;
  readonly kind: string;
  readonly status: "firing" | "resolved";
  readonly severity: Severity;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAtMs: number;
  readonly endsAtMs: number | null;
  readonly unit: Unit;
  readonly observed: number;
  readonly expected: number;
  readonly impactNanoUsd: NanoUsd;
}
