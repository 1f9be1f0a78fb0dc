import { expect, it } from "vitest";
import { newScore, scoreValue } from "./anomaly-score.ts";
import { seededRandom } from "./observation-samples.ts";

const minuteMs = 60_000;

function scores(values: readonly number[], stepMs = 5 * minuteMs): number[] {
  const state = newScore();
  return values.map((value, index) => scoreValue(state, value, index * stepMs));
}

function noise(count: number, seed = 1): number[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => 100 + 10 * (random() + random() + random() - 1.5));
}

it("is calibrated: of values without a change about one in a hundred scores above 0.99", () => {
  const high = scores(noise(20_000)).filter((score) => score > 0.99).length;
  expect(high).toBeGreaterThan(100);
  expect(high).toBeLessThan(300);
});

it("gives a spike more than anything before it", () => {
  const all = scores([...noise(2000), 300]);
  expect(all.at(-1)).toBeGreaterThan(0.999);
  expect(Math.max(...all.slice(0, 2000))).toBeLessThanOrEqual(all.at(-1) ?? 0);
});

it("sees a lasting shift that no single value would show", () => {
  const shifted = noise(20, 2).map((value) => value + 14);
  expect(Math.max(...scores([...noise(3000), ...shifted]).slice(3000))).toBeGreaterThan(0.995);
});

it("looks at nothing that comes later", () => {
  const values = noise(3000);
  const whole = scores([...values, 1e9, -1e9, 0]);
  expect(whole.slice(0, 3000)).toEqual(scores(values));
});

it.each([
  ["all values equal", Array.from({ length: 500 }, () => 7)],
  ["zeros", Array.from({ length: 500 }, () => 0)],
  ["one value of 1e12", [...noise(300), 1e12, ...noise(300)]],
  ["gaps", [...noise(100), Number.NaN, Number.POSITIVE_INFINITY, ...noise(100)]],
  ["an alternation of 1e300 and -1e300", Array.from({ length: 300 }, (_, index) => (index % 2 === 0 ? 1e300 : -1e300))],
])("stays within [0, 1] on %s", (_, values) => {
  for (const score of scores(values)) {
    expect(score).toBeGreaterThanOrEqual(0);
    expect(score).toBeLessThanOrEqual(1);
  }
});

it("gives equal values no high score", () => {
  expect(Math.max(...scores(Array.from({ length: 500 }, () => 7)))).toBeLessThan(0.6);
});
