/** What one cell of a spend table adds up in one period: calls, retries, tokens and nano-dollars by bucket. */

/** Token buckets that have a price of their own. Cache writes of either lifetime count together. */
export const buckets = ["input", "cacheRead", "cacheWrite", "output", "reasoning"] as const;

export type Bucket = (typeof buckets)[number];

/** One call, or several added up. All integers; negative in a correction. */
export interface Amounts {
  readonly calls: number;
  /** Those of the calls that repeat an earlier attempt of the same request. */
  readonly retries: number;
  /** Disjoint. */
  readonly tokens: Readonly<Record<Bucket, number>>;
  /** What the tokens of each bucket cost. */
  readonly nanoUsd: Readonly<Record<Bucket, number>>;
  /** Nano-dollars that are no price of tokens: charges per call, or a total that nobody has split. */
  readonly feeNanoUsd: number;
}

/** How amounts lie in a row of numbers: calls, retries, five token counts, five costs, the fee. */
export const rowLength = 3 + 2 * buckets.length;

/** Column of each number in a row. */
export const column = {
  calls: 0,
  retries: 1,
  tokens: 2,
  nanoUsd: 2 + buckets.length,
  fee: 2 + 2 * buckets.length,
} as const;

/** Adds amounts to the row that begins at `offset`. Numbers that are not finite add nothing. */
export function addAmounts(rows: Float64Array, offset: number, amounts: Amounts): void {
  add(rows, offset + column.calls, amounts.calls);
  add(rows, offset + column.retries, amounts.retries);
  for (const [index, bucket] of buckets.entries()) {
    add(rows, offset + column.tokens + index, amounts.tokens[bucket]);
    add(rows, offset + column.nanoUsd + index, amounts.nanoUsd[bucket]);
  }
  add(rows, offset + column.fee, amounts.feeNanoUsd);
}

/** Nano-dollars of the row that begins at `offset`. */
export function rowNanoUsd(rows: Float64Array, offset: number): number {
  let sum = rows[offset + column.fee] ?? 0;
  for (let index = 0; index < buckets.length; index++) sum += rows[offset + column.nanoUsd + index] ?? 0;
  return sum;
}

function add(rows: Float64Array, at: number, amount: number): void {
  if (Number.isFinite(amount)) rows[at] = (rows[at] ?? 0) + amount;
}
