/**
 * What providers bill of their list prices where a call was served in another tier than the standard one. The bundled
 * list has no tiers. A tier that is not here is billed as standard and flagged: Anthropic's priority is capacity bought
 * beforehand, and Google's costs "75 % to 100 % more", by model.
 *
 * Sources, as stored in November 2026: openai.com/api-priority-processing; OpenAI's guides to batches ("half") and to flex
 * ("at the rates of batches"); platform.claude.com/docs, pricing, "batch processing" (half of input, output and cache);
 * ai.google.dev/gemini-api/docs/optimization (batch and, since 1 April 2026, flex: half).
 */

import { type Fraction, one } from "./decimal.ts";

const half: Fraction = { numerator: 1n, denominator: 2n };
const twice: Fraction = { numerator: 2n, denominator: 1n };

/** By provider, as the bundled list names it, and tier: one factor for all of its models. */
const ofProvider: Readonly<Record<string, Readonly<Record<string, Fraction>>>> = {
  openai: { batch: half, flex: half },
  anthropic: { batch: half },
  google: { batch: half, flex: half },
};

/** OpenAI's priority by the list's model, its price over the standard one. The page has a row for each; others have none. */
const openaiPriority: Readonly<Record<string, Fraction>> = {
  "gpt-5.5": { numerator: 5n, denominator: 2n },
  "gpt-5.4": twice,
  "gpt-5.4-mini": twice,
  "gpt-5.2": twice,
  "gpt-5.1": twice,
  "gpt-5": twice,
  "gpt-5-mini": { numerator: 9n, denominator: 5n },
  "gpt-4.1": { numerator: 7n, denominator: 4n },
};

const standardTiers: ReadonlySet<string> = new Set(["", "default", "standard", "auto", "on_demand", "standard_only"]);

/** True where a tier is billed at the plain rates. */
export function isStandardTier(serviceTier: string): boolean {
  return standardTiers.has(serviceTier);
}

export interface TierFactor {
  readonly factor: Fraction;
  /** False where the tier does not take long inputs: what has a higher bracket is billed there at the plain rates. */
  readonly onLongInput: boolean;
}

/** @param provider id of the bundled list, as `model` is. Undefined where nobody published a factor. */
export function tierFactor(provider: string, model: string, serviceTier: string): TierFactor | undefined {
  if (isStandardTier(serviceTier)) return { factor: one, onLongInput: true };
  const priority = provider === "openai" && serviceTier === "priority";
  const factor = priority ? openaiPriority[model] : ofProvider[provider]?.[serviceTier];
  return factor === undefined ? undefined : { factor, onLongInput: !priority };
}
