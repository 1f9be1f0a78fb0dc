/**
 * ADWIN (Bifet and Gavalda, 2007) on log values, written from the paper: exponential buckets, each cut tested every 32
 * values. The score is the -ln(delta) at which the best upward cut would be significant, so that any delta can be tuned.
 */

import type { Baseline } from "./baseline.ts";

const bucketsPerSize = 5;
const testEvery = 32;
const cutMin = 5;

interface Bucket {
  size: number;
  sum: number;
  squares: number;
}

export const adwin: Baseline = {
  name: "ADWIN log",
  usual: -Math.log(0.002),
  start() {
    // Newest first; sizes never fall with age.
    const buckets: Bucket[] = [];
    const total: Bucket = { size: 0, sum: 0, squares: 0 };
    let values = 0;
    return (raw) => {
      const value = Math.log1p(raw);
      buckets.unshift({ size: 1, sum: value, squares: value * value });
      add(total, buckets[0]);
      merge(buckets);
      return ++values % testEvery === 0 && total.size > 100 ? bestCut(buckets, total) : 0;
    };
  },
};

function add(into: Bucket, from: Bucket | undefined): void {
  if (from === undefined) return;
  into.size += from.size;
  into.sum += from.sum;
  into.squares += from.squares;
}

/** Where a size has too many buckets, its two oldest become one of twice the size. */
function merge(buckets: Bucket[]): void {
  for (let at = 0; at < buckets.length; ) {
    const size = buckets[at]?.size ?? 0;
    let end = at;
    while (end < buckets.length && buckets[end]?.size === size) end++;
    if (end - at <= bucketsPerSize) return;
    const [older] = buckets.splice(end - 1, 1);
    const kept = buckets[end - 2];
    if (kept !== undefined) add(kept, older);
    at = end - 2;
  }
}

function bestCut(buckets: readonly Bucket[], total: Bucket): number {
  const variance = Math.max(1e-12, total.squares / total.size - (total.sum / total.size) ** 2);
  const recent: Bucket = { size: 0, sum: 0, squares: 0 };
  let best = 0;
  for (const bucket of buckets) {
    add(recent, bucket);
    const before = total.size - recent.size;
    if (before < cutMin) break;
    if (recent.size < cutMin) continue;
    const rise = recent.sum / recent.size - (total.sum - recent.sum) / before;
    if (rise <= 0) continue;
    // rise = sqrt(2 v L / m) + 2 L / (3 m), solved for L = ln(2 ln(n) / delta).
    const m = 1 / (1 / recent.size + 1 / before);
    const [a, b] = [Math.sqrt((2 * variance) / m), 2 / (3 * m)];
    const root = (-a + Math.sqrt(a * a + 4 * b * rise)) / (2 * b);
    best = Math.max(best, root * root - Math.log(2 * Math.log(total.size)));
  }
  return best;
}
