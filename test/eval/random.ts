/** Reproducible randomness for scenarios: the same seed gives the same numbers on every machine. */

export interface Random {
  /** In [0, 1). */
  next(): number;
  /** A whole number in [0, below). */
  below(below: number): number;
  between(low: number, high: number): number;
  pick<Item>(items: readonly Item[]): Item;
  /** An index below `count`, the first the most frequent, as 1 / rank. */
  zipf(count: number): number;
  /** With mean 0 and standard deviation 1. */
  normal(): number;
}

/** Mulberry32 (public domain, Tommy Ettinger): 32 bits of state, plenty for scenarios. */
export function randomOf(seed: number): Random {
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  const below = (limit: number) => Math.floor(next() * limit);
  return {
    next,
    below,
    between: (low, high) => low + next() * (high - low),
    pick: (items) => {
      const item = items[below(items.length)];
      if (item === undefined) throw new Error("nothing to pick from");
      return item;
    },
    zipf: (count) => {
      const sums = zipfSums(count);
      const drawn = next() * (sums.at(-1) ?? 0);
      const rank = sums.findIndex((sum) => drawn < sum);
      return rank === -1 ? count - 1 : rank;
    },
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
  };
}

const sumsByCount = new Map<number, Float64Array>();

/** Running sums of 1, 1/2, 1/3 ... */
function zipfSums(count: number): Float64Array {
  const known = sumsByCount.get(count);
  if (known !== undefined) return known;
  let sum = 0;
  const sums = Float64Array.from({ length: count }, (_, rank) => (sum += 1 / (rank + 1)));
  sumsByCount.set(count, sums);
  return sums;
}
