/**
 * The user's own price list: which entry holds for a call, and its rates. Precedence: an entry of the tenant before one
 * for everybody; then the exact model before a prefix, the longer prefix, a named provider before none, the later `from`.
 */

import { type Modalities, modalityBuckets } from "../model/usage.ts";
import { tierUnpricedFlag } from "./bundled-list.ts";
import { type Fraction, one, product, quotient, rounded, whole, zero } from "./decimal.ts";
import { NameIndex } from "./name-index.ts";
import type { PriceQuestion } from "./price-question.ts";
import { canonicalProvider } from "./provider-names.ts";
import { type RateCard, type Rates, rateCard } from "./rate-card.ts";
import { isStandardTier } from "./tier-factors.ts";
import { ZoneTime } from "./zone-time.ts";

/** Amounts per million tokens; what is absent is billed as what contains it: cached tokens as input, reasoning as output. */
export type PerMillion = Readonly<
  Partial<
    Record<"input" | "cacheRead" | "cacheWrite" | "cacheWrite1h" | "output" | "reasoning" | keyof Modalities, Fraction>
  >
>;

/** Part of a day in a zone: `from` included, `to` excluded, both minutes since local midnight; `to` may be the next day. */
export interface DayWindow {
  readonly zone: string;
  readonly fromMinute: number;
  readonly toMinute: number;
  /** Multiplies the entry's rates, or stands in their place. */
  readonly factor: Fraction | undefined;
  readonly perMillion: PerMillion | undefined;
}

/** A price of one model, or of all that begin with a prefix. */
export interface PriceEntry {
  readonly model: string;
  /** True where `model` ended in a star, which is cut off. */
  readonly isPrefix: boolean;
  /** "" for any. */
  readonly provider: string;
  readonly tenant: string;
  /** Unix microseconds, from included to excluded. */
  readonly fromUs: number;
  readonly toUs: number;
  readonly currency: string;
  readonly perMillion: PerMillion;
  readonly tiers: readonly { readonly inputAbove: number; readonly perMillion: PerMillion }[];
  readonly serviceTiers: ReadonlyMap<string, Fraction>;
  readonly windows: readonly DayWindow[];
  readonly perCall: Fraction;
  readonly perImage: Fraction;
  readonly perAudioSecond: Fraction;
  /** Share of a fixed cost, taken neither up nor down by tier or hour. */
  readonly sharePerCall: Fraction;
  readonly sharePerToken: Fraction;
}

/** What one unit of a currency is worth from a time on. */
export interface Exchange {
  readonly currency: string;
  readonly usd: Fraction;
  readonly fromUs: number;
}

export interface PriceList {
  /** Of the file's content: equal lists have equal versions. */
  readonly version: string;
  readonly entries: readonly PriceEntry[];
  readonly exchanges: readonly Exchange[];
}

/** Contracts and providers, and models of each: beyond, what is known is forgotten and found again. */
const questionsMax = 1000;
const modelsMax = 100;
const million = whole(1_000_000);
const attoPerUsd = 10n ** 18n;

/** An entry that may hold for a name, with the cards made of it so far: by tier, window and exchange. */
interface Candidate {
  readonly entry: PriceEntry;
  readonly cards: Map<string, RateCard>;
}

/** Answers from one list. */
export class OwnList {
  readonly #list: PriceList;
  /** By tenant, then model and provider. */
  readonly #candidates = new NameIndex<NameIndex<readonly Candidate[]>>(questionsMax);
  readonly #contracts: ReadonlySet<string>;
  readonly #zones = new Map<string, ZoneTime>();

  constructor(list: PriceList) {
    this.#list = list;
    this.#contracts = new Set(list.entries.map(({ tenant }) => tenant));
  }

  /** The card that holds for a call, null where the list has none. */
  find(question: PriceQuestion): RateCard | null {
    const { startUs } = question;
    for (const candidate of this.#candidatesFor(question)) {
      const { fromUs, toUs } = candidate.entry;
      if (startUs >= fromUs && startUs < toUs) return this.#cardOf(candidate, question);
    }
    return null;
  }

  #candidatesFor(question: PriceQuestion): readonly Candidate[] {
    const { provider, model } = question;
    // Tenants without a contract are all alike.
    const tenant = this.#contracts.has(question.tenant) ? question.tenant : "";
    let byModel = this.#candidates.get(tenant, provider);
    if (byModel === undefined) {
      byModel = new NameIndex(modelsMax);
      this.#candidates.set(tenant, provider, byModel);
    }
    const known = byModel.get(model, "");
    if (known !== undefined) return known;
    const entries = this.#list.entries.filter((entry) => holdsFor(entry, question)).sort(byPrecedence);
    const found = entries.map((entry): Candidate => ({ entry, cards: new Map() }));
    byModel.set(model, "", found);
    return found;
  }

  #cardOf({ entry, cards }: Candidate, { startUs, serviceTier }: PriceQuestion): RateCard {
    const window = entry.windows.find((each) => this.#isWithin(each, startUs));
    const exchange = this.#exchangeOf(entry, startUs);
    const plain = window === undefined && exchange === undefined;
    const key = plain
      ? serviceTier
      : `${serviceTier}\n${entry.windows.indexOf(window as DayWindow)} ${exchange?.fromUs ?? ""}`;
    const known = cards.get(key);
    if (known !== undefined) return known;
    if (cards.size >= modelsMax) cards.clear();
    const card = cardOf({ entry, window, serviceTier, version: this.#list.version, usd: exchange?.usd ?? one });
    cards.set(key, card);
    return card;
  }

  #isWithin({ zone, fromMinute, toMinute }: DayWindow, startUs: number): boolean {
    const clock = this.#zones.get(zone) ?? new ZoneTime(zone);
    this.#zones.set(zone, clock);
    const minute = clock.minuteOfDay(startUs);
    return fromMinute < toMinute
      ? minute >= fromMinute && minute < toMinute
      : minute >= fromMinute || minute < toMinute;
  }

  /** The newest rate of exchange before the call; the list was checked to have one for every time of an entry. */
  #exchangeOf({ currency }: PriceEntry, startUs: number): Exchange | undefined {
    if (currency === "USD") return undefined;
    const dated = this.#list.exchanges.filter((each) => each.currency === currency && each.fromUs <= startUs);
    return dated.reduce((newest, each) => (each.fromUs > newest.fromUs ? each : newest));
  }
}

function holdsFor(entry: PriceEntry, { tenant, provider, model }: PriceQuestion): boolean {
  if (entry.tenant !== "" && entry.tenant !== tenant) return false;
  if (entry.provider !== "" && canonicalProvider(entry.provider) !== canonicalProvider(provider)) return false;
  return entry.isPrefix ? model.startsWith(entry.model) : model === entry.model;
}

function byPrecedence(left: PriceEntry, right: PriceEntry): number {
  return (
    Number(right.tenant !== "") - Number(left.tenant !== "") ||
    Number(left.isPrefix) - Number(right.isPrefix) ||
    right.model.length - left.model.length ||
    Number(right.provider !== "") - Number(left.provider !== "") ||
    right.fromUs - left.fromUs
  );
}

const modalityNames = Object.keys(modalityBuckets) as readonly (keyof Modalities)[];

interface CardParts {
  readonly entry: PriceEntry;
  readonly window: DayWindow | undefined;
  readonly serviceTier: string;
  readonly version: string;
  /** What a unit of the entry's currency is worth. */
  readonly usd: Fraction;
}

function cardOf({ entry, window, serviceTier, version, usd }: CardParts): RateCard {
  const tierFactor = isStandardTier(serviceTier) ? one : entry.serviceTiers.get(serviceTier);
  const factor = product(usd, tierFactor ?? one, window?.factor ?? one);
  const base = window?.perMillion ?? entry.perMillion;
  const atto = (amount: Fraction) => rounded(amount, attoPerUsd);
  const shared = {
    token: atto(product(entry.sharePerToken, usd)),
    call: atto(product(entry.perCall, factor)) + atto(product(entry.sharePerCall, usd)),
    image: atto(product(entry.perImage, factor)),
    audioMs: atto(quotient(product(entry.perAudioSecond, factor), whole(1000))),
  };
  const ratesOf = (perMillion: PerMillion): Rates => {
    const rate = (amount: Fraction | undefined) => atto(quotient(product(amount ?? zero, factor), million));
    const {
      input,
      cacheRead = input,
      cacheWrite = input,
      cacheWrite1h = cacheWrite,
      output,
      reasoning = output,
      audioInput = input,
      audioCacheRead = cacheRead,
      audioOutput = output,
      imageInput = input,
      imageCacheRead = cacheRead,
      imageOutput = output,
    } = perMillion;
    return {
      input: rate(input),
      cacheRead: rate(cacheRead),
      cacheWrite5m: rate(cacheWrite),
      cacheWrite1h: rate(cacheWrite1h),
      output: rate(output),
      reasoning: rate(reasoning),
      audioInput: rate(audioInput),
      audioCacheRead: rate(audioCacheRead),
      audioOutput: rate(audioOutput),
      imageInput: rate(imageInput),
      imageCacheRead: rate(imageCacheRead),
      imageOutput: rate(imageOutput),
      ...shared,
    };
  };
  const brackets = [{ inputAbove: 0, perMillion: base }, ...entry.tiers];
  return rateCard(
    brackets.map(({ inputAbove, perMillion }) => ({ inputAbove, rates: ratesOf(perMillion) })),
    {
      source: entry.tenant === "" ? "own" : "contract",
      version,
      since: Number.isFinite(entry.fromUs) ? new Date(entry.fromUs / 1000).toISOString() : "",
      flags: tierFactor === undefined ? [tierUnpricedFlag] : [],
      ownRates: new Set(modalityNames.filter((name) => base[name] !== undefined)),
    },
  );
}
