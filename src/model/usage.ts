/** Disjoint token buckets of one call: each token is in exactly one. Totals are derived, never stored beside them. */
export interface Usage {
  /** Input billed at the full rate: neither read from nor written to a cache. */
  readonly input: number;
  readonly cacheRead: number;
  readonly cacheWrite5m: number;
  readonly cacheWrite1h: number;
  /** Visible output, without reasoning. */
  readonly output: number;
  readonly reasoning: number;
}

export const noUsage: Usage = { input: 0, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0, output: 0, reasoning: 0 };

/** All input tokens, cached ones included. */
export function totalInput(usage: Usage): number {
  return usage.input + usage.cacheRead + usage.cacheWrite5m + usage.cacheWrite1h;
}

/** All output tokens, reasoning included. */
export function totalOutput(usage: Usage): number {
  return usage.output + usage.reasoning;
}
