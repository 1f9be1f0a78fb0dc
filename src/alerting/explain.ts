/** What an alert says to the person who is woken: who, what, how much, since when, and what changed. Pure. */

import type { Finding } from "../model/finding.ts";
import { displayUsd } from "../model/money.ts";

/** The labels name the incident and nothing else: no value, no time. */
export function alertLabels(finding: Finding): Record<string, string> {
  const { series, kind } = finding;
  return {
    alertname: kind,
    tenant: series.tenant,
    ...(series.feature === undefined ? {} : { feature: series.feature }),
    ...(series.model === undefined ? {} : { model: series.model }),
  };
}

export function alertAnnotations(finding: Finding): Record<string, string> {
  const { series, observedNanoUsdPerMinute: observed, expectedNanoUsdPerMinute: expected, evidence } = finding;
  const since = new Date(finding.onsetMs).toISOString();
  const what =
    series.feature === undefined ? `tenant ${series.tenant}` : `${series.feature} of tenant ${series.tenant}`;
  const where = [`tenant=${series.tenant}`, ...(series.feature === undefined ? [] : [`feature=${series.feature}`])];
  return {
    summary: `${what}: ${displayUsd(observed)}/min, expected ${displayUsd(expected)}/min, since ${since}; ${displayUsd(finding.impactNanoUsd)} above expectation so far`,
    observed: `${displayUsd(observed)}/min`,
    expected: `${displayUsd(expected)}/min`,
    since,
    impact: displayUsd(finding.impactNanoUsd),
    impact_per_hour: `${displayUsd(Math.max(0, observed - expected) * 60)}/h at this rate`,
    changed: whatChanged(finding),
    why: `${evidence["z"]} spreads above the last ${evidence["history_minutes"]} calm minutes (${evidence["test"]})`,
    look: `burnwatch cost --by model,feature --since 1h ${where.map((pair) => `--where ${pair}`).join(" ")}`,
  };
}

/** Volume, size and price per token, each against its usual: which of them moved is the first question on call. */
function whatChanged({ evidence }: Finding): string {
  const ratio = (now: unknown, usual: unknown) =>
    typeof now === "number" && typeof usual === "number" && now > 0 && usual > 0 ? now / usual : null;
  const calls = ratio(evidence["calls_per_minute"], evidence["usual_calls_per_minute"]);
  const tokens = ratio(evidence["tokens_per_call"], evidence["usual_tokens_per_call"]);
  const cost = ratio(evidence["nano_usd_per_call"], evidence["usual_nano_usd_per_call"]);
  const parts = [
    calls === null ? "" : `calls x${calls.toFixed(2)}`,
    tokens === null ? "" : `tokens per call x${tokens.toFixed(2)}`,
    cost === null || tokens === null ? "" : `cost per token x${(cost / tokens).toFixed(2)}`,
    evidence["top_model"] === "" ? "" : `mostly ${evidence["top_model"]}`,
  ];
  return parts.filter((part) => part !== "").join(", ");
}
