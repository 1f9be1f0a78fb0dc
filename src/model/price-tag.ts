/**
 * What a call was billed at, as one text that equal calls share: six rates, then source, version and since when. The
 * store keeps it in a dictionary column, a fraction of a byte a record, and derives the split of the cost from it.
 */

/** Rates of a tag in the order in which they stand there, in atto-dollars (1e-18 USD) per token. */
export const taggedRates = ["input", "cacheRead", "cacheWrite5m", "cacheWrite1h", "output", "reasoning"] as const;

export type TaggedRates = Readonly<Record<(typeof taggedRates)[number], bigint>>;

/** `contract`: a tenant's own entry of the price list; `own`: the price list; `bundled`: the list that comes along. */
export type PriceSource = "contract" | "own" | "bundled" | "reported";

export interface PriceLabel {
  readonly source: PriceSource;
  /** Version of the list. */
  readonly version: string;
  /** RFC 3339 from when the list has this price; "" where the list has had no other. */
  readonly since: string;
}

/** Digits of a rate: up to 99,999 dollars per million tokens. */
export const rateDigits = 17;
/** Beyond it a rate does not fit its digits. */
export const rateMax = 10n ** BigInt(rateDigits) - 1n;

const noRates: TaggedRates = {
  input: 0n,
  cacheRead: 0n,
  cacheWrite5m: 0n,
  cacheWrite1h: 0n,
  output: 0n,
  reasoning: 0n,
};

/** The tag of these rates. @throws RangeError when a rate is above `rateMax`. */
export function priceTag(rates: TaggedRates, { source, version, since }: PriceLabel): string {
  const digits = taggedRates.map((name) => {
    if (rates[name] > rateMax) throw new RangeError(`rate ${rates[name]} is above ${rateMax} atto-dollars a token`);
    return rates[name].toString().padStart(rateDigits, "0");
  });
  return `${digits.join("")} ${source} ${version.replaceAll(" ", "-")} ${since}`.trimEnd();
}

/** The tag of a call that is billed at what its emitter reported: all of it is cost of no known kind. */
export const reportedTag = priceTag(noRates, { source: "reported", version: "emitter", since: "" });

/** Characters of a tag before its source. */
export const ratesOfTagLength = rateDigits * taggedRates.length;

/** The six rates of a tag, as text: two tags with equal rates split every cost alike. */
export function ratesOfTag(tag: string): string {
  return tag.slice(0, ratesOfTagLength);
}

/** Kinds that a cost is split into, in the order of the bits of `costCarry`; what is left is `other`. */
export const costKinds = ["input", "cacheRead", "cacheWrite", "output", "reasoning"] as const;
