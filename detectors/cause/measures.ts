/** What calls are like on average: the numbers that the factors of a change are said in. */

import { buckets, column, rowLength, rowNanoUsd } from "./amounts.ts";

export interface Measures {
  /** Calls, scaled to the length of the later period. */
  readonly calls: number;
  /** Attempts per request; 1 without retries. */
  readonly attempts: number;
  /** Per call. */
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly reasoningTokens: number;
  /** Of the input tokens, read from a cache. */
  readonly cachedShare: number;
  readonly nanoUsdPerCall: number;
}

/** Averages over rows of amounts; zeros where there are no calls. */
export function measuresOf(rows: Float64Array, scale: number): Measures {
  const sums = new Float64Array(rowLength);
  let nanoUsd = 0;
  for (let offset = 0; offset < rows.length; offset += rowLength) {
    for (let at = 0; at < rowLength; at++) sums[at] = (sums[at] ?? 0) + (rows[offset + at] ?? 0);
    nanoUsd += rowNanoUsd(rows, offset);
  }
  const calls = sums[column.calls] ?? 0;
  const tokens = Object.fromEntries(buckets.map((bucket, index) => [bucket, sums[column.tokens + index] ?? 0]));
  const perCall = (amount: number) => (calls > 0 ? amount / calls : 0);
  const input = (tokens["input"] ?? 0) + (tokens["cacheRead"] ?? 0) + (tokens["cacheWrite"] ?? 0);
  const requests = Math.max(1, calls - (sums[column.retries] ?? 0));
  return {
    calls: calls * scale,
    attempts: calls > 0 ? calls / requests : 0,
    inputTokens: perCall(input),
    outputTokens: perCall(tokens["output"] ?? 0),
    reasoningTokens: perCall(tokens["reasoning"] ?? 0),
    cachedShare: input > 0 ? (tokens["cacheRead"] ?? 0) / input : 0,
    nanoUsdPerCall: perCall(nanoUsd),
  };
}
