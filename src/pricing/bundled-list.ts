/**
 * The price list that comes along, `@pydantic/genai-prices`: dated and offline. It is asked once per model and quarter
 * of an hour (its finest rule is a time of day); the arithmetic is ours, in exact decimals.
 */

import { calcPrice, type ModelPrice, type PriceCalculation, type TieredPrices } from "@pydantic/genai-prices";
import type { Modalities } from "../model/usage.ts";
import { type Fraction, one, product, rounded, whole } from "./decimal.ts";
import { exactRate } from "./exact-rate.ts";
import { NameIndex } from "./name-index.ts";
import type { PriceQuestion } from "./price-question.ts";
import { listedProvider } from "./provider-names.ts";
import { type RateCard, type Rates, rateCard, rateNames } from "./rate-card.ts";
import { type TierFactor, tierFactor } from "./tier-factors.ts";

/** As package.json pins it; a test compares. */
export const bundledVersion = "genai-prices-0.1.8";

/** Flag of a record whose service tier has no factor: it was priced as standard. */
export const tierUnpricedFlag = "service_tier_unpriced";
/** Flag of a record whose provider lists no price of its own for the model: the price is that of the model's maker. */
export const makersPriceFlag = "price_of_maker";
/** Flag of a record without a provider, priced by the name of its model alone. */
export const providerAssumedFlag = "provider_assumed";

const slotUs = 15 * 60_000_000;
const modelsMax = 10_000;

interface Known {
  readonly slot: number;
  readonly card: RateCard | null;
}

export class BundledList {
  readonly #known = new NameIndex<Known>(modelsMax);

  /** The card of a model at a time; null when the list has no price for it. */
  find(question: PriceQuestion): RateCard | null {
    const { provider, model, serviceTier, startUs } = question;
    const slot = Math.floor(startUs / slotUs);
    const name = serviceTier === "" ? model : `${model}\n${serviceTier}`;
    const known = this.#known.get(provider, name);
    if (known !== undefined && known.slot === slot) return known.card;
    const card = lookUp(question, slot * slotUs);
    this.#known.set(provider, name, { slot, card });
    return card;
  }
}

function lookUp({ provider, model, serviceTier }: PriceQuestion, startUs: number): RateCard | null {
  const providerId = listedProvider(provider);
  if (model === "" || (provider !== "" && providerId === undefined)) return null;
  const timestamp = new Date(startUs / 1000);
  const options = { timestamp, ...(providerId === undefined ? {} : { providerId }) };
  const found = calcPrice({ input_tokens: 1, output_tokens: 1 }, model, options);
  if (found === null || !hasPrice(found.model_price)) return null;
  const tier = tierFactor(found.provider.id, found.model.id, serviceTier);
  return rateCard(brackets(found.model_price, tier), {
    source: "bundled",
    version: bundledVersion,
    since: startOf(found, timestamp),
    ownRates: new Set(modalityNames.filter((name) => found.model_price[modalityKeys[name]] !== undefined)),
    flags: [
      ...(tier === undefined ? [tierUnpricedFlag] : []),
      ...(providerId === undefined ? [providerAssumedFlag] : []),
      // For Azure and Google the list falls back upon the makers of the models that they resell.
      ...(found.provider.models.includes(found.model) ? [] : [makersPriceFlag]),
    ],
  });
}

/** A price by tokens, calls or hours of audio; others the records have no counts for. */
function hasPrice(price: ModelPrice): boolean {
  return ["input_mtok", "output_mtok", "requests_kcount", "audio_hours", "input_audio_hours"].some(
    (key) => price[key] !== undefined,
  );
}

/** The newest date before the call from which the list has a price of its own for this model, "" where it has but one. */
function startOf({ model }: PriceCalculation, at: Date): string {
  if (!Array.isArray(model.prices)) return "";
  const starts = model.prices.flatMap(({ constraint }) =>
    constraint?.type === "start_date" && new Date(constraint.start_date) <= at ? [constraint.start_date] : [],
  );
  return starts.sort().at(-1) ?? "";
}

function brackets(price: ModelPrice, tier: TierFactor | undefined) {
  const starts = new Set([0]);
  for (const value of Object.values(price)) {
    if (isTiered(value)) for (const tier of value.tiers) starts.add(tier.start);
  }
  const ascending = [...starts].sort((a, b) => a - b);
  const factorAbove = (inputAbove: number) =>
    tier === undefined || (inputAbove > 0 && !tier.onLongInput) ? one : tier.factor;
  return ascending.map((inputAbove) => ({
    inputAbove,
    rates: scaled(ratesAbove(price, inputAbove), factorAbove(inputAbove)),
  }));
}

const modalityKeys = {
  audioInput: "input_audio_mtok",
  audioCacheRead: "cache_audio_read_mtok",
  audioOutput: "output_audio_mtok",
  imageInput: "input_image_mtok",
  imageCacheRead: "cache_image_read_mtok",
  imageOutput: "output_image_mtok",
} as const satisfies Readonly<Record<keyof Modalities, string>>;
const modalityNames = Object.keys(modalityKeys) as readonly (keyof Modalities)[];

/** A part without a rate of its own is billed as what contains it: a cached token as input, reasoning as output. */
function ratesAbove(price: ModelPrice, inputAbove: number): Rates {
  const rate = (key: string, per: number, otherwise: bigint) => {
    const value = price[key];
    if (value === undefined) return otherwise;
    return exactRate(isTiered(value) ? tierAt(value, inputAbove) : value, per);
  };
  const perToken = (key: string, otherwise: bigint) => rate(key, 1_000_000, otherwise);
  const input = perToken("input_mtok", 0n);
  const output = perToken("output_mtok", 0n);
  const cacheRead = perToken("cache_read_mtok", input);
  const cacheWrite5m = perToken("cache_write_mtok", input);
  const audioHour = rate("audio_hours", 1, rate("input_audio_hours", 1, 0n));
  return {
    input,
    cacheRead,
    cacheWrite5m,
    cacheWrite1h: perToken("cache_write_1h_mtok", cacheWrite5m),
    output,
    reasoning: perToken("output_reasoning_mtok", output),
    token: 0n,
    call: rate("requests_kcount", 1000, 0n),
    image: 0n,
    audioMs: rounded({ numerator: audioHour, denominator: 3_600_000n }, 1n),
    audioInput: perToken(modalityKeys.audioInput, input),
    audioCacheRead: perToken(modalityKeys.audioCacheRead, cacheRead),
    audioOutput: perToken(modalityKeys.audioOutput, output),
    imageInput: perToken(modalityKeys.imageInput, input),
    imageCacheRead: perToken(modalityKeys.imageCacheRead, cacheRead),
    imageOutput: perToken(modalityKeys.imageOutput, output),
  };
}

function scaled(rates: Rates, factor: Fraction): Rates {
  if (factor.numerator === factor.denominator) return rates;
  const entries = rateNames.map((name) => [name, rounded(product(whole(rates[name]), factor), 1n)]);
  return Object.fromEntries(entries) as Record<keyof Rates, bigint>;
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
