/** What an alert says to the person who is woken: who, what, how much, since when, and what changed. Pure. */

import { displayAmount } from "../model/amount.ts";
import type { Alert, Finding, IncidentName, Series } from "../model/finding.ts";
import { displayUsd } from "../model/money.ts";

/** How each part of a series is called in labels and by `burnwatch cost`. */
const labelNames = {
  tenant: "tenant",
  service: "service",
  feature: "feature",
  provider: "provider",
  model: "model",
  promptName: "prompt_name",
  promptVersion: "prompt_version",
  agent: "agent",
  user: "user",
  session: "session",
  run: "run",
  instance: "instance",
} as const satisfies Record<keyof Series, string>;

/** The labels name the incident and nothing else: no value, no time. */
export function alertLabels({ series, kind }: Pick<Finding, "series" | "kind">): Record<string, string> {
  return { alertname: kind, ...Object.fromEntries(namesOf(series)) };
}

/** The incident that labels name: what `alertLabels` was given. */
export function incidentOf({ kind, labels }: Pick<Alert, "kind" | "labels">): IncidentName {
  const names = Object.entries(labelNames).flatMap(([name, label]) =>
    labels[label] === undefined ? [] : [[name, labels[label]]],
  );
  return { kind, series: Object.fromEntries(names) };
}

/** What the alert says, in words, amounts and a command to look further. */
export function alertAnnotations(finding: Finding): Record<string, string> {
  const since = new Date(finding.onsetMs).toISOString();
  const observed = displayAmount(finding.observed, finding.unit);
  const expected = displayAmount(finding.expected, finding.unit);
  // Costs are not kept by instance.
  const { instance: _, ...costed } = finding.series;
  const where = namesOf(costed).map(([name, value]) => `--where ${name}=${shellWord(value)}`);
  const [cost, perHour] = [displayUsd(finding.impactNanoUsd), displayUsd(finding.impactNanoUsdPerHour)];
  return {
    summary: `${who(finding.series)}: ${observed}, expected ${expected}, since ${since}; ${cost} above expectation so far`,
    observed,
    expected,
    since,
    impact: cost,
    impact_per_hour: `${perHour}/h at this rate`,
    changed: whatChanged(finding),
    why: why(finding),
    ...(finding.traceIds.length === 0 ? {} : { traces: finding.traceIds.join(" ") }),
    look: ["burnwatch cost --by model,feature --since 1h", ...where].join(" "),
  };
}

function namesOf(series: Series): [string, string][] {
  const names = Object.keys(labelNames) as (keyof Series)[];
  return names.flatMap((name) => (series[name] === undefined ? [] : [[labelNames[name], series[name]]]));
}

/** The narrowest name first: `gpt-4o, search of tenant acme`. */
function who(series: Series): string {
  const { tenant, ...rest } = series;
  const parts = namesOf(rest).map(([name, value]) => (name === "feature" ? value : `${name} ${value}`));
  if (tenant === undefined) return parts.length === 0 ? "everything" : parts.reverse().join(", ");
  return parts.length === 0 ? `tenant ${tenant}` : `${parts.reverse().join(", ")} of tenant ${tenant}`;
}

/** Volume, size and price per token, each against its usual; then what other detectors say of the same incident. */
function whatChanged({ evidence, effect, folded }: Finding): string {
  const ratio = (now: unknown, usual: unknown) =>
    typeof now === "number" && typeof usual === "number" && now > 0 && usual > 0 ? now / usual : null;
  const calls = ratio(evidence["calls_per_minute"], evidence["usual_calls_per_minute"]);
  const tokens = ratio(evidence["tokens_per_call"], evidence["usual_tokens_per_call"]);
  const cost = ratio(evidence["nano_usd_per_call"], evidence["usual_nano_usd_per_call"]);
  const parts = [
    calls === null ? "" : `calls x${calls.toFixed(2)}`,
    tokens === null ? "" : `tokens per call x${tokens.toFixed(2)}`,
    cost === null || tokens === null ? "" : `cost per token x${(cost / tokens).toFixed(2)}`,
    (evidence["top_model"] ?? "") === "" ? "" : `mostly ${evidence["top_model"]}`,
    ...folded.map((claim) => claim.effect),
  ].filter((part) => part !== "");
  return parts.length === 0 ? effect : [...new Set(parts)].join(", ");
}

/** Evidence that `changed` has not told. */
function why({ evidence, effect, confidence }: Finding): string {
  const told = /calls_per_minute|tokens_per_call|nano_usd_per_call|top_model/;
  const rest = Object.entries(evidence).flatMap(([name, value]) => (told.test(name) ? [] : [`${name} ${value}`]));
  // Rounded down: nobody is ever entirely sure.
  const sure = (Math.floor(confidence * 10_000) / 100).toFixed(2);
  return [effect, rest.join(", "), `${sure} % sure`].filter((part) => part !== "").join("; ");
}

/** Safe to paste into a shell. */
function shellWord(value: string): string {
  return /^[\w@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`;
}
