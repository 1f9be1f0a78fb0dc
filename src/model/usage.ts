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

/** Tokens that are no text. Each is counted in a bucket of the usage, too: a subset, not one more bucket. */
export interface Modalities {
  readonly audioInput: number;
  readonly audioCacheRead: number;
  readonly audioOutput: number;
  readonly imageInput: number;
  readonly imageCacheRead: number;
  readonly imageOutput: number;
}

/** The bucket that each is part of. */
export const modalityBuckets = {
  audioInput: "input",
  audioCacheRead: "cacheRead",
  audioOutput: "output",
  imageInput: "input",
  imageCacheRead: "cacheRead",
  imageOutput: "output",
} as const satisfies Readonly<Record<keyof Modalities, keyof Usage>>;

export const noUsage: Usage = { input: 0, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0, output: 0, reasoning: 0 };

/** All input tokens, cached ones included. */
export function totalInput(usage: Usage): number {
  return usage.input + usage.cacheRead + usage.cacheWrite5m + usage.cacheWrite1h;
}

/** All output tokens, reasoning included. */
export function totalOutput(usage: Usage): number {
  return usage.output + usage.reasoning;
}

/** Bucket by bucket. */
export function addUsage(a: Usage, b: Usage): Usage {
  return {
    input: a.input + b.input,
    cacheRead: a.cacheRead + b.cacheRead,
    cacheWrite5m: a.cacheWrite5m + b.cacheWrite5m,
    cacheWrite1h: a.cacheWrite1h + b.cacheWrite1h,
    output: a.output + b.output,
    reasoning: a.reasoning + b.reasoning,
  };
}
