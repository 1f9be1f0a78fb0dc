/** The few list prices that whole-trace tests expect, written down with their source: neither our pricing nor its library. */

/**
 * Pico-dollars per token: input, cached input, output, as the prices stand in November 2026. Sources: OpenAI's API
 * pricing page; the model pages and the pricing page of Anthropic's documentation. The long-context rate of Sonnet 4.5 is
 * that of its million-token beta ($6 / $0.60 / $22.50 above 200,000 input tokens, cached ones included, for every token of
 * the call), which ended in April 2026; no other rate was ever published for such calls. Sonnet 4 is listed at one rate.
 */
interface Rates {
  readonly input: bigint;
  readonly cached: bigint;
  readonly output: bigint;
}
const rates = (input: number, cached: number, output: number): Rates => ({
  input: BigInt(input * 1_000_000),
  cached: BigInt(cached * 1_000_000),
  output: BigInt(output * 1_000_000),
});
const longContextAbove = 200_000;
const listPrices: Readonly<Record<string, { readonly usual: Rates; readonly long?: Rates }>> = {
  "gpt-4o": { usual: rates(2.5, 1.25, 10) },
  "claude-opus-4-1-20250805": { usual: rates(15, 1.5, 75) },
  "claude-opus-4-5-20251101": { usual: rates(5, 0.5, 25) },
  "claude-opus-4-6": { usual: rates(5, 0.5, 25) },
  "claude-haiku-4-5-20251001": { usual: rates(1, 0.1, 5) },
  "claude-sonnet-4-20250514": { usual: rates(3, 0.3, 15) },
  "claude-sonnet-4-5-20250929": { usual: rates(3, 0.3, 15), long: rates(6, 0.6, 22.5) },
};

/** What a call costs at list price, in nano-dollars, rounded once, half to even. `input` includes what was `cached`. */
export function callNanoUsd(
  model: string,
  tokens: { readonly input: number; readonly cached: number; readonly output: number },
): bigint {
  const price = listPrices[model];
  if (price === undefined) throw new Error(`no list price for ${model} here`);
  const { input, cached, output } = tokens.input > longContextAbove ? (price.long ?? price.usual) : price.usual;
  const pico =
    BigInt(tokens.input - tokens.cached) * input + BigInt(tokens.cached) * cached + BigInt(tokens.output) * output;
  const rest = pico % 1000n;
  const down = pico / 1000n;
  return rest > 500n || (rest === 500n && down % 2n === 1n) ? down + 1n : down;
}
