/** How far two histograms are apart: what a finding says in evidence of a shift. Never an alarm by itself. */

import { countOf, type Histogram } from "./histogram.ts";
import { lowerEdge } from "./log-bins.ts";

export interface Distance {
  /** Population stability index, natural logarithm, half a count added to each bin. */
  readonly psi: number;
  /** Wasserstein distance of the logarithms, as a factor: 1.8 says that values moved by 80 % on average. */
  readonly factor: number;
  /** Kolmogorov-Smirnov distance, between 0 and 1. */
  readonly ks: number;
}

const noDistance: Distance = { psi: 0, factor: 1, ks: 0 };

/** Compares what is seen with what is usual. */
export function compare(seen: Histogram, usual: Histogram): Distance {
  if (seen.total <= 0 || usual.total <= 0) return noDistance;
  const from = Math.min(seen.first, usual.first);
  const until = Math.max(seen.first + seen.length, usual.first + usual.length);
  const bins = until - from;
  let [psi, w1, ks, seenSum, usualSum] = [0, 0, 0, 0, 0];
  for (let bin = from; bin < until; bin++) {
    const [a, b] = [countOf(seen, bin), countOf(usual, bin)];
    const p = (a + 0.5) / (seen.total + bins / 2);
    const q = (b + 0.5) / (usual.total + bins / 2);
    psi += (p - q) * Math.log(p / q);
    seenSum += a / seen.total;
    usualSum += b / usual.total;
    const gap = Math.abs(seenSum - usualSum);
    ks = Math.max(ks, gap);
    // Values are logarithms of one more than the value, so that 0 has a place.
    w1 += gap * Math.log((lowerEdge(bin + 1) + 1) / (lowerEdge(bin) + 1));
  }
  return { psi, factor: Math.exp(w1), ks };
}
