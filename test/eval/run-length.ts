/** How long methods run before a false alarm, and the threshold that gives a wanted run length: one search for all. */

import type { Baseline } from "./baselines/baseline.ts";
import { matchedRunLength, warmUpRecords } from "./protocol.ts";
import { randomOf, type Sample } from "./samples.ts";

/** Records of one null run after its warm-up. */
const blockRecords = 20_000;

/**
 * The threshold at which a method would alarm once in `matchedRunLength` exchangeable records: the quantile of the maxima
 * of blocks that such alarms, if they come independently, leave without one.
 */
export function tunedThreshold(method: Baseline, samples: readonly Sample[], records: number, name: string): number {
  const blocks = Math.max(20, Math.round(records / blockRecords));
  const maxima = Array.from({ length: blocks }, (_, block) => {
    const random = randomOf(`${name} ${method.name} block ${block}`);
    const score = method.start(random);
    let most = 0;
    for (let i = 0; i < warmUpRecords + blockRecords; i++) {
      const scored = score(samples[Math.floor(random() * samples.length)]?.value ?? 0);
      if (i >= warmUpRecords) most = Math.max(most, scored);
    }
    return most;
  }).sort((a, b) => a - b);
  const share = Math.exp(-blockRecords / matchedRunLength);
  // Just above the maximum, for methods whose scores repeat.
  return (maxima[Math.min(blocks - 1, Math.ceil(share * blocks))] ?? 0) * (1 + 1e-9);
}

/** Alarms over a stream in the order in which it was recorded, begun anew after each. */
export function realOrderAlarms(method: Baseline, threshold: number, samples: readonly Sample[], name: string): number {
  const random = randomOf(`${name} ${method.name} real order`);
  let [score, since, alarms] = [method.start(random), 0, 0];
  for (const { value } of samples) {
    const scored = score(value);
    if (++since <= 500 || scored < threshold) continue;
    alarms++;
    [score, since] = [method.start(random), 0];
  }
  return alarms;
}

/** Exact 95 % interval of a Poisson mean of which `count` events were seen. */
export function poissonInterval(count: number): readonly [number, number] {
  const cumulated = (mean: number, upTo: number) => {
    let [term, sum] = [Math.exp(-mean), Math.exp(-mean)];
    for (let k = 1; k <= upTo; k++) {
      term *= mean / k;
      sum += term;
    }
    return sum;
  };
  const solve = (holds: (mean: number) => boolean) => {
    let [low, high] = [0, 2 * count + 20];
    for (let i = 0; i < 60; i++) {
      const middle = (low + high) / 2;
      if (holds(middle)) low = middle;
      else high = middle;
    }
    return low;
  };
  const lower = count === 0 ? 0 : solve((mean) => 1 - cumulated(mean, count - 1) < 0.025);
  return [lower, solve((mean) => cumulated(mean, count) > 0.025)];
}
