import { expect, it } from "vitest";
import { dearerShare, newCallCost, noteCallCost, usualDayNanoUsd } from "./call-cost.ts";

const minuteMs = 60_000;
const dayMs = 86_400_000;
const startMs = Date.UTC(2026, 0, 5);

/** A day of ten calls a minute at a cent each, then a minute of others. */
function after(calls: number, nanoUsd: number) {
  const state = newCallCost();
  for (let call = 0; call < 14_400; call++) {
    noteCallCost(state, { atMs: startMs + call * 6000, calls: 1, nanoUsd: 1e7 }, true);
  }
  for (let call = 0; call < calls; call++) {
    noteCallCost(state, { atMs: startMs + dayMs + (call * minuteMs) / calls, calls: 1, nanoUsd }, false);
  }
  return state;
}

it("tells dearer calls from more calls, within the minute and over a quarter of an hour", () => {
  for (const windowMs of [minuteMs, 15 * minuteMs]) {
    const observed = { observed: 3e8, expected: 1e8, windowMs };
    expect(dearerShare(after(1000, 1e7), observed)).toBe(0);
    expect(dearerShare(after(1000, 9e7), observed)).toBeGreaterThan(0.9);
  }
});

it("believes a few calls only when they are far dearer", () => {
  const observed = { observed: 3e8, expected: 1e8, windowMs: minuteMs };
  expect(dearerShare(after(10, 2e7), observed)).toBe(0);
  expect(dearerShare(after(10, 50e7), observed)).toBeGreaterThan(0.9);
});

it("calls it dearer where nothing usual is known, and knows what a usual day costs from its first day on", () => {
  expect(dearerShare(newCallCost(), { observed: 3, expected: 1, windowMs: minuteMs })).toBe(1);
  // 14,400 calls at a cent; the first of them have faded by half, and the sum is scaled up for that.
  expect(usualDayNanoUsd(after(0, 0)) / 144e9).toBeCloseTo(1, 2);
});

it("does not take a burst for usual before its minute is over, be it one sum or many calls", () => {
  const rise = { observed: 5e13, expected: 1e9, windowMs: minuteMs };
  for (const calls of [1, 1000]) {
    const state = after(1000, 1e7);
    for (let call = 0; call < 1000; call += calls)
      noteCallCost(state, { atMs: startMs + dayMs + 2 * minuteMs, calls, nanoUsd: calls * 5e10 }, true);
    expect(dearerShare(state, rise)).toBeGreaterThan(0.9);
  }
});

it("takes no long calls of one burst for dearer calls: they are alike, however many they are", () => {
  const state = after(6000, 2.4e7);
  const rise = { observed: 1.44e11, expected: 1e8 };
  expect(dearerShare(state, { ...rise, windowMs: minuteMs })).toBeLessThan(0.5);
  expect(dearerShare(state, { ...rise, windowMs: 15 * minuteMs })).toBeGreaterThan(0.5);
});
