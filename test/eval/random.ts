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
      let left = next() * Array.from({ length: count }, (_, rank) => 1 / (rank + 1)).reduce((a, b) => a + b, 0);
      for (let rank = 0; rank < count; rank++) {
        left -= 1 / (rank + 1);
        if (left < 0) return rank;
      }
      return count - 1;
    },
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
  };
}
