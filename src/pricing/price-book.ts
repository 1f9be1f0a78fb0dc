/**
 * Which rates hold for a model at a time, from the dated list of `@pydantic/genai-prices`. The list is asked once per
 * model and quarter of an hour (its finest rule is a time of day); the arithmetic is ours, in exact decimals.
 */

import { calcPrice, type ModelPrice, type TieredPrices } from "@pydantic/genai-prices";
import { exactRate } from "./exact-rate.ts";
import type { RateCard, Rates } from "./list-cost.ts";

/** OpenTelemetry's provider names to the list's. A provider that is not named here has no price: never a near match. */
const listProviders: Readonly<Record<string, string>> = {
  openai: "openai",
  "azure.ai.openai": "azure",
  "az.ai.openai": "azure",
  "azure.ai.inference": "azure",
  "az.ai.inference": "azure",
  anthropic: "anthropic",
  "aws.bedrock": "aws",
  "gcp.gemini": "google",
  "gcp.vertex_ai": "google",
  "gcp.gen_ai": "google",
  gemini: "google",
  vertex_ai: "google",
  cohere: "cohere",
  mistral_ai: "mistral",
  groq: "groq",
  deepseek: "deepseek",
  x_ai: "x-ai",
  xai: "x-ai",
  perplexity: "perplexity",
  openrouter: "openrouter",
  fireworks: "fireworks",
  together: "together",
};

const slotMs = 15 * 60_000;
const modelsMax = 10_000;

interface Known {
  readonly slot: number;
  readonly card: RateCard | null;
}

export class PriceBook {
  readonly #known = new Map<string, Known>();

  /**
   * The rate card of a model at a time.
   * @param provider as OpenTelemetry names it; "" asks for the model alone.
   * @param atMs Unix milliseconds of the call.
   * @returns null when the list has no token price for it.
   */
  find(provider: string, model: string, atMs: number): RateCard | null {
    const slot = Math.floor(atMs / slotMs);
    const key = `${provider}\n${model}`;
    const known = this.#known.get(key);
    if (known !== undefined && known.slot === slot) return known.card;
    if (this.#known.size >= modelsMax) this.#known.clear();
    const card = lookUp(provider, model, slot * slotMs);
    this.#known.set(key, { slot, card });
    return card;
  }
}

function lookUp(provider: string, model: string, atMs: number): RateCard | null {
  const providerId = listProviders[provider.toLowerCase()];
  if (model === "" || (provider !== "" && providerId === undefined)) return null;
  const options = { timestamp: new Date(atMs), ...(providerId === undefined ? {} : { providerId }) };
  const found = calcPrice({ input_tokens: 1, output_tokens: 1 }, model, options);
  return found === null ? null : rateCard(found.model_price);
}

function rateCard(price: ModelPrice): RateCard | null {
  if (price["input_mtok"] === undefined && price["output_mtok"] === undefined) return null;
  const starts = new Set([0]);
  for (const value of Object.values(price)) {
    if (isTiered(value)) for (const tier of value.tiers) starts.add(tier.start);
  }
  const ascending = [...starts].sort((a, b) => a - b);
  return ascending.map((inputAbove) => ({ inputAbove, rates: ratesAbove(price, inputAbove) }));
}

/** A part without a rate of its own is billed as what contains it: a cached token as input, reasoning as output. */
function ratesAbove(price: ModelPrice, inputAbove: number): Rates {
  const rate = (key: string, otherwise: bigint) => {
    const value = price[key];
    if (value === undefined) return otherwise;
    return exactRate(isTiered(value) ? tierAt(value, inputAbove) : value, 1_000_000);
  };
  const input = rate("input_mtok", 0n);
  const output = rate("output_mtok", 0n);
  const cacheWrite5m = rate("cache_write_mtok", input);
  const perThousandCalls = price["requests_kcount"];
  return {
    input,
    cacheRead: rate("cache_read_mtok", input),
    cacheWrite5m,
    cacheWrite1h: rate("cache_write_1h_mtok", cacheWrite5m),
    output,
    reasoning: rate("output_reasoning_mtok", output),
    call: typeof perThousandCalls === "number" ? exactRate(perThousandCalls, 1000) : 0n,
  };
}

function tierAt(tiered: TieredPrices, inputAbove: number): number {
  let price = tiered.base;
  for (const tier of [...tiered.tiers].sort((a, b) => a.start - b.start)) {
    if (inputAbove >= tier.start) price = tier.price;
  }
  return price;
}

function isTiered(value: number | TieredPrices | undefined): value is TieredPrices {
  return typeof value === "object";
}
