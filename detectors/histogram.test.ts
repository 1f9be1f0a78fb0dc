/** The O(1) statistics against simple-statistics over the values themselves, on many seeds. */

import { mean, quantile } from "simple-statistics";
import { describe, expect, it } from "vitest";
import { compare } from "./compare.ts";
import { addBin, fade, meanOf, newHistogram, putIn, quantileOf, rankOf, takeOut } from "./histogram.ts";
import { binOf, lowerEdge, valueMax } from "./log-bins.ts";
import { seededRandom } from "./observation-samples.ts";

/** Half a bin: eight bins an octave. */
const resolution = 0.065;

function values(seed: number, count = 3000, scale = 300): number[] {
  const random = seededRandom(seed);
  const wide = () => Math.exp(2 * (random() + random() + random() - 1.5));
  return Array.from({ length: count }, () => Math.round(scale * wide()));
}

function histogramOf(all: readonly number[]) {
  const histogram = newHistogram();
  for (const value of all) addBin(histogram, binOf(value));
  return histogram;
}

it("each bin begins where the one before ends, and holds its own lower edge", () => {
  for (let bin = 0; bin < binOf(valueMax); bin++) {
    expect(binOf(lowerEdge(bin))).toBe(bin);
    if (bin > 8) expect(binOf(lowerEdge(bin) - 1)).toBe(bin - 1);
  }
  for (const odd of [Number.NaN, -5, Number.NEGATIVE_INFINITY]) expect(binOf(odd)).toBe(0);
  expect(binOf(1e12)).toBe(binOf(valueMax));
});

describe.each([1, 2, 3, 4, 5])("of values from seed %i", (seed) => {
  const all = values(seed);

  it("mean and quantiles agree with those of the values, to half a bin", () => {
    const histogram = histogramOf(all);
    expect(Math.abs(meanOf(histogram) / mean(all) - 1)).toBeLessThan(0.02);
    for (const share of [0.1, 0.5, 0.9, 0.99]) {
      expect(Math.abs(quantileOf(histogram, share) / quantile(all, share) - 1)).toBeLessThan(resolution);
    }
  });

  it("conformal ranks are uniform from the first value on, whatever the distribution", () => {
    const random = seededRandom(seed + 100);
    const histogram = newHistogram();
    const ranks = all.map((value) => {
      const rank = rankOf(histogram, binOf(value), random());
      addBin(histogram, binOf(value));
      return rank;
    });
    const sorted = ranks.toSorted((a, b) => a - b);
    const distance = Math.max(...sorted.map((rank, index) => Math.abs(rank - (index + 0.5) / sorted.length)));
    // Kolmogorov's bound at one in ten thousand.
    expect(distance).toBeLessThan(2.23 / Math.sqrt(sorted.length));
    expect(sorted[0]).toBeGreaterThanOrEqual(0);
    expect(sorted.at(-1)).toBeLessThan(1);
  });

  it("what was counted can be taken out again, and fading keeps the shape", () => {
    const histogram = histogramOf(all);
    const more = values(seed + 50, 500, 3000);
    for (const value of more) addBin(histogram, binOf(value));
    takeOut(histogram, histogramOf(more));
    expect(histogram.total).toBe(all.length);
    expect(meanOf(histogram)).toBeCloseTo(meanOf(histogramOf(all)), 6);
    fade(histogram, 0.25);
    expect(histogram.total).toBeCloseTo(all.length / 4, 3);
    expect(meanOf(histogram)).toBeCloseTo(meanOf(histogramOf(all)), 3);
  });

  it("what was kept apart can be put in, as if it had been counted there", () => {
    const [histogram, together] = [histogramOf(all), histogramOf(all)];
    const more = values(seed + 60, 500, 300_000);
    for (const value of more) addBin(together, binOf(value));
    putIn(histogram, histogramOf(more));
    expect(histogram.total).toBe(together.total);
    for (const share of [0.01, 0.5, 0.9, 0.999]) expect(quantileOf(histogram, share)).toBe(quantileOf(together, share));
  });

  it("the factor between values and twice the values is two; PSI and KS of the same are nothing", () => {
    const doubled = compare(histogramOf(all.map((value) => 2 * value)), histogramOf(all));
    expect(doubled.factor).toBeGreaterThan(1.95);
    expect(doubled.factor).toBeLessThan(2.05);
    const same = compare(histogramOf(all), histogramOf(all));
    expect(same).toEqual({ psi: 0, factor: 1, ks: 0 });
  });
});
