/**
 * The split of a cost, derived from what a row has anyway: tokens, the rates in its price tag and one byte of carries.
 * Storing the parts would take eight bytes a record, mostly noise that tokens and rates already hold; a tag takes none.
 */

import { costKinds, rateDigits, taggedRates } from "../model/price-tag.ts";

/** The columns of a cost's parts, in the order of `costKinds`; the part that is left is `other`. */
export const costParts = [
  { kind: "input", name: "input_nano_usd", shown: "cost_input_usd" },
  { kind: "cacheRead", name: "cache_read_nano_usd", shown: "cost_cache_read_usd" },
  { kind: "cacheWrite", name: "cache_write_nano_usd", shown: "cost_cache_write_usd" },
  { kind: "output", name: "output_nano_usd", shown: "cost_output_usd" },
  { kind: "reasoning", name: "reasoning_nano_usd", shown: "cost_reasoning_usd" },
] as const satisfies readonly {
  readonly kind: (typeof costKinds)[number];
  readonly name: string;
  readonly shown: string;
}[];

const tokensOf: Readonly<
  Record<(typeof costKinds)[number], readonly [column: string, rate: (typeof taggedRates)[number]][]>
> = {
  input: [["input_uncached_tokens", "input"]],
  cacheRead: [["cache_read_tokens", "cacheRead"]],
  cacheWrite: [
    ["cache_write_5m_tokens", "cacheWrite5m"],
    ["cache_write_1h_tokens", "cacheWrite1h"],
  ],
  output: [["output_visible_tokens", "output"]],
  reasoning: [["reasoning_tokens", "reasoning"]],
};

/**
 * SQL for nano-dollars of one kind in a base row `r`: atto-dollars rounded towards zero, plus the carry in the sign of the
 * record. 0 for a row without rates, whose whole cost is `other`: rows of before version 6, and reported costs.
 */
export function partNanoUsd(kind: (typeof costKinds)[number]): string {
  const atto = tokensOf[kind].map(([column, rate]) => `toInt128(r.${column}) * ${rateOf(rate)}`).join(" + ");
  const carry = `bitAnd(bitShiftRight(r.cost_carry, ${costKinds.indexOf(kind)}), 1) * r.calls`;
  return `(toInt64(intDiv(${atto}, 1000000000)) + ${carry})`;
}

/** On a dictionary column the engine reads each distinct tag once, not each row's. */
function rateOf(rate: (typeof taggedRates)[number]): string {
  return `toInt64OrZero(substring(r.price_tag, ${taggedRates.indexOf(rate) * rateDigits + 1}, ${rateDigits}))`;
}

/** Whole nano-dollars in SQL as dollars. */
export function usdOfNano(nano: string): string {
  return `CAST(${nano} AS Decimal(38, 9)) / 1000000000`;
}
