/** A detector's claim with evidence, and the alert it becomes. */

import type { NanoUsd } from "./money.ts";

/** What a baseline is kept for. A parent leaves the narrower names out. */
export interface Series {
  readonly tenant: string;
  readonly feature?: string;
  readonly model?: string;
}

export type Severity = "info" | "ticket" | "page";

export interface Finding {
  readonly detector: string;
  /** What kind of incident, e.g. `spend_above_baseline`. With the series it names the incident. */
  readonly kind: string;
  readonly series: Series;
  readonly severity: Severity;
  /** `firing` opens or updates the incident of (kind, series); `resolved` ends it. */
  readonly status: "firing" | "resolved";
  /** Unix milliseconds of the record or tick that decided it. */
  readonly atMs: number;
  /** Unix milliseconds since when the behaviour differs. */
  readonly onsetMs: number;
  /** Nano-dollars per minute now and as the baseline has it. */
  readonly observedNanoUsdPerMinute: NanoUsd;
  readonly expectedNanoUsdPerMinute: NanoUsd;
  /** Nano-dollars above the expectation since the onset. */
  readonly impactNanoUsd: NanoUsd;
  readonly evidence: Readonly<Record<string, string | number>>;
}

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
  readonly observedNanoUsdPerMinute: NanoUsd;
  readonly expectedNanoUsdPerMinute: NanoUsd;
  readonly impactNanoUsd: NanoUsd;
}
