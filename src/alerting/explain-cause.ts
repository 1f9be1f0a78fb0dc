/** A change of spend in words and dollars: how much, from which calls, and what about them changed. Pure. */

import type { Cause, ChangeExplanation } from "../../detectors/cause/explain-change.ts";
import type { Measures } from "../../detectors/cause/measures.ts";
import { roundParts } from "../../detectors/cause/round-parts.ts";
import type { SliceNames } from "../../detectors/cause/search-slices.ts";
import { type ChangeSplit, type Factor, factors } from "../../detectors/cause/split-change.ts";
import { displayUsd } from "../model/money.ts";

/** A factor with less than this share of a change is not worth a word. */
const shareWorthSaying = 0.1;
const factorsMax = 3;

/**
 * One line, e.g. `+$41.00/h: 92 % from feature chat, prompt v7: inputs 1.8x longer (+$35.10/h), calls 1.1x (+$2.60/h)`.
 * @param hours length of the later period: dollars are said per hour.
 */
export function explainCause({ whole, before, after, causes }: ChangeExplanation, hours: number): string {
  const perHour = (nanoUsd: bigint) => signedUsd(Math.round(Number(nanoUsd) / hours));
  const change = whole.afterNanoUsd - whole.beforeNanoUsd;
  const head = `${perHour(change)}/h`;
  if (change === 0n) return `${head}: no change`;
  if (causes.length === 0)
    return `${head}: broad, no part of the calls stands out: ${said(whole, { before, after, perHour })}`;
  const parts = causes.map((cause) => {
    const share = `${Math.round(100 * cause.share)} %`;
    return `${share} from ${nameOf(cause)}: ${said(cause.split, { ...cause, perHour })}`;
  });
  return `${head}: ${parts.join("; ")}`;
}

/**
 * The change in dollars by factor, e.g. `$16.00, usually $2.00: +$14.00 = volume +$1.25, input +$12.75`. What is said sums
 * exactly to the change that is said: to the cent from a dollar up, below it to a ten-thousandth.
 * @param names of the slice whose change it is; left out where it is the whole.
 */
export function sayFactors(split: ChangeSplit, names?: SliceNames): string {
  const change = split.afterNanoUsd - split.beforeNanoUsd;
  const digits = Number(change < 0n ? -change : change) >= 1e9 ? 2 : 4;
  const unit = 10 ** (9 - digits);
  // Of three amounts that belong together, the two that others know are rounded: what was spent, and what changed.
  const [after, all] = [split.afterNanoUsd, change].map((nanoUsd) => Math.round(Number(nanoUsd) / unit));
  const parts = roundParts(
    factors.map((factor) => Number(split.parts[factor]) / unit),
    all ?? 0,
  );
  const usd = (units: number) => `${units < 0 ? "-" : ""}$${(Math.abs(units) / 10 ** digits).toFixed(digits)}`;
  const signed = (units: number) => `${units > 0 ? "+" : ""}${usd(units)}`;
  const said = factors.flatMap((factor, index) => (parts[index] ? [`${factor} ${signed(parts[index])}`] : []));
  const head = `${usd(after ?? 0)}, usually ${usd((after ?? 0) - (all ?? 0))}: ${signed(all ?? 0)}`;
  const of = names === undefined ? "" : `${nameOf({ names })}: `;
  return `${of}${head}${said.length === 0 ? "" : ` = ${said.join(", ")}`}`;
}

function nameOf({ names }: Pick<Cause, "names">): string {
  const words = {
    tenant: "tenant",
    feature: "feature",
    model: "model",
    promptVersion: "prompt",
    user: "user",
  } as const;
  return Object.entries(names)
    .map(([dimension, name]) => `${words[dimension as keyof typeof words]} ${name === "" ? "(none)" : name}`)
    .join(", ");
}

interface Said {
  readonly before: Measures;
  readonly after: Measures;
  readonly moved?: Cause["moved"];
  readonly perHour: (nanoUsd: bigint) => string;
}

/** The largest factors that pushed the way the change went, each with its dollars. */
function said(split: ChangeSplit, { before, after, moved, perHour }: Said): string {
  const change = split.afterNanoUsd - split.beforeNanoUsd;
  const magnitude = (nanoUsd: bigint) => (change < 0n ? -nanoUsd : nanoUsd);
  const pushing = factors
    .filter((factor) => Number(magnitude(split.parts[factor])) >= shareWorthSaying * Number(magnitude(change)))
    .sort((a, b) => Number(magnitude(split.parts[b]) - magnitude(split.parts[a])))
    .slice(0, factorsMax);
  if (before.calls === 0) return `new (${perHour(change)}/h)`;
  if (after.calls === 0) return `gone (${perHour(change)}/h)`;
  return pushing
    .map((factor) => {
      const words = factor === "volume" && moved ? movedInWords(moved) : inWords[factor](before, after);
      return `${words} (${perHour(split.parts[factor])}/h)`;
    })
    .join(", ");
}

const inWords: Readonly<Record<Factor, (before: Measures, after: Measures) => string>> = {
  volume: ({ calls, attempts }, after) => `calls ${ratio(requests(after), requests({ calls, attempts }))}`,
  mix: () => "a different mix of models and prompts",
  retries: (before, after) => `${after.attempts.toFixed(1)} attempts a request, were ${before.attempts.toFixed(1)}`,
  input: (before, after) => `inputs ${longer(after.inputTokens, before.inputTokens)}`,
  cache: (before, after) => `${percent(after.cachedShare)} of inputs cached, were ${percent(before.cachedShare)}`,
  output: (before, after) => `answers ${longer(after.outputTokens, before.outputTokens)}`,
  reasoning: (before, after) => `reasoning ${longer(after.reasoningTokens, before.reasoningTokens)}`,
  price: () => "another price per token",
  other: () => "corrections of earlier calls",
};

function movedInWords({ dimension, name, shareBefore, shareAfter }: NonNullable<Cause["moved"]>): string {
  const what = dimension === "model" ? `model ${name}` : `prompt ${name}`;
  return `calls moved to ${what}: ${percent(shareAfter)}, were ${percent(shareBefore)}`;
}

function requests({ calls, attempts }: Pick<Measures, "calls" | "attempts">): number {
  return attempts > 0 ? calls / attempts : 0;
}

/** "1.8x longer", "1.3x shorter"; of something from nothing, "longer". */
function longer(now: number, usual: number): string {
  if (!(now > 0 && usual > 0)) return now > usual ? "longer" : "shorter";
  return now >= usual ? `${ratio(now, usual)} longer` : `${ratio(usual, now)} shorter`;
}

function ratio(now: number, usual: number): string {
  return usual > 0 ? `${(now / usual).toFixed(now / usual < 10 ? 1 : 0)}x` : "from none";
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}

function signedUsd(nanoUsd: number): string {
  return nanoUsd > 0 ? `+${displayUsd(nanoUsd)}` : displayUsd(nanoUsd);
}
