/** Rolling 3-sigma, EWMA, Page-Hinkley and CUSUM: baselines that keep a few sums. */

import type { Baseline } from "./baseline.ts";

const window = 1000;
const warm = 100;

/** Mean and standard deviation of the last `window` values, by sums over a ring. */
class RollingMoments {
  readonly #ring = new Float64Array(window);
  #count = 0;
  #sum = 0;
  #squares = 0;

  add(value: number): void {
    const at = this.#count++ % window;
    const old = this.#count > window ? (this.#ring[at] ?? 0) : 0;
    this.#ring[at] = value;
    this.#sum += value - old;
    this.#squares += value * value - old * old;
  }

  get warm(): boolean {
    return this.#count >= warm;
  }

  score(value: number): number {
    const n = Math.min(this.#count, window);
    const mean = this.#sum / n;
    const deviation = Math.sqrt(Math.max(1e-12, this.#squares / n - mean * mean));
    return (value - mean) / deviation;
  }
}

/** (x - mean) / sd over the last 1,000 raw values. */
export const rollingSigma: Baseline = {
  name: "rolling 3-sigma",
  usual: 3,
  start() {
    const moments = new RollingMoments();
    return (value) => {
      const score = moments.warm ? moments.score(value) : 0;
      moments.add(value);
      return score;
    };
  },
};

/** z of the exponentially weighted mean (weight 0.05), whose own deviation is sqrt(w / (2 - w)) of a value's. */
function ewma(name: string, transform: (value: number) => number): Baseline {
  const weight = 0.05;
  return {
    name,
    usual: 3,
    start() {
      const moments = new RollingMoments();
      const spread = Math.sqrt(weight / (2 - weight));
      let mean = 0;
      return (raw) => {
        const value = transform(raw);
        const z = moments.warm ? moments.score(value) : 0;
        mean += weight * (z - mean);
        moments.add(value);
        return mean / spread;
      };
    },
  };
}

export const ewmaRaw = ewma("EWMA raw", (value) => value);
export const ewmaLog = ewma("EWMA log", Math.log1p);

/** Page-Hinkley on standardised raw values: cumulated deviations above their minimum, tolerance 0.005. */
export const pageHinkley: Baseline = {
  name: "Page-Hinkley",
  usual: 50,
  start() {
    const moments = new RollingMoments();
    let [sum, least] = [0, 0];
    return (value) => {
      const z = moments.warm ? moments.score(value) : 0;
      moments.add(value);
      sum += z - 0.005;
      least = Math.min(least, sum);
      return sum - least;
    };
  },
};

/** One-sided CUSUM of the log value's z, cut at 4; reference value 0.25. */
export const cusum: Baseline = {
  name: "CUSUM log",
  usual: null,
  start() {
    const moments = new RollingMoments();
    let sum = 0;
    return (raw) => {
      const value = Math.log1p(raw);
      const z = moments.warm ? moments.score(value) : 0;
      moments.add(value);
      sum = Math.max(0, sum + Math.max(-4, Math.min(4, z)) - 0.25);
      return sum;
    };
  },
};
