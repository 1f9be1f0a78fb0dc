/** MAD, KSWIN and relative entropy: baselines that keep a window of values. */

import { median, medianAbsoluteDeviation } from "simple-statistics";
import { binOf } from "../../../detectors/log-bins.ts";
import type { Baseline } from "./baseline.ts";

/** (log x - median) / (1.4826 MAD) over the last 1,000 values; both are reckoned anew every 100 values. */
export const madLog: Baseline = {
  name: "MAD log",
  usual: 3.5,
  start() {
    const kept: number[] = [];
    let [centre, spread, age] = [0, 1, 0];
    return (raw) => {
      const value = Math.log1p(raw);
      if (kept.length >= 100 && age-- <= 0) {
        centre = median(kept);
        spread = Math.max(1e-6, 1.4826 * medianAbsoluteDeviation(kept));
        age = 100;
      }
      const score = kept.length >= 100 ? (value - centre) / spread : 0;
      kept.push(value);
      if (kept.length > 1000) kept.shift();
      return score;
    };
  },
};

/** KSWIN: the last 30 values against 30 drawn from the 70 before them, one-sided Kolmogorov-Smirnov distance. */
export const kswin: Baseline = {
  name: "KSWIN",
  // alpha 0.005 with r = 30: sqrt(-ln(0.005) / 30).
  usual: Math.sqrt(-Math.log(0.005) / 30),
  start(random) {
    const kept: number[] = [];
    return (value) => {
      kept.push(value);
      if (kept.length < 100) return 0;
      if (kept.length > 100) kept.shift();
      const recent = kept.slice(70).sort((a, b) => a - b);
      const before = Array.from({ length: 30 }, () => kept[Math.floor(random() * 70)] ?? 0).sort((a, b) => a - b);
      return upwardDistance(recent, before);
    };
  },
};

/** How far the distribution of `before` lies above that of `recent` at most: positive where values have risen. */
function upwardDistance(recent: readonly number[], before: readonly number[]): number {
  let [i, j, most] = [0, 0, 0];
  while (i < recent.length && j < before.length) {
    const at = Math.min(recent[i] ?? 0, before[j] ?? 0);
    while (i < recent.length && (recent[i] ?? 0) <= at) i++;
    while (j < before.length && (before[j] ?? 0) <= at) j++;
    most = Math.max(most, j / before.length - i / recent.length);
  }
  return most;
}

/** Relative entropy of each window of 64 values against all before it, as the G statistic over octaves. */
export const relativeEntropy: Baseline = {
  name: "relative entropy",
  usual: null,
  start() {
    const seen = new Float64Array(40).fill(0.5);
    let total = seen.length / 2;
    const open = new Float64Array(40);
    let count = 0;
    return (value) => {
      const octave = binOf(value) >> 3;
      open[octave] = (open[octave] ?? 0) + 1;
      if (++count < 64) return 0;
      let g = 0;
      for (const [bin, observed] of open.entries()) {
        if (observed > 0) g += 2 * observed * Math.log((observed * total) / (64 * (seen[bin] ?? 1)));
        seen[bin] = (seen[bin] ?? 0) + observed;
        open[bin] = 0;
      }
      const scored = total > 500 ? g : 0;
      total += 64;
      count = 0;
      return scored;
    };
  },
};
