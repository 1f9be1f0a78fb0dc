import { serialize } from "node:v8";
import { expect, it } from "vitest";
import type { Verdict } from "./detector.ts";
import { energy } from "./energy.ts";
import { observation, seededRandom, usageRecord } from "./observation-samples.ts";

const startMs = Date.UTC(2026, 0, 5);
const context = { alarmAt: 1e7, settings: energy.settings, parent: null };

interface Minute {
  readonly tokens: number;
  readonly joules: number;
}

/** A call of a third input and a reading each minute. @returns the verdicts with the minutes before them. */
function judged(minutes: readonly Minute[], state = energy.newState()) {
  return minutes.flatMap(({ tokens, joules }, minute) => {
    const fromMs = startMs + minute * 60_000;
    const nowMs = fromMs + 60_000;
    const reading = { instance: "gpu-1", fromUs: fromMs * 1000, toUs: nowMs * 1000, joules };
    const seen = observation(
      {
        atMs: nowMs - 1,
        arrivedAtMs: nowMs,
        inputTokens: tokens / 3 + 1000,
        cacheReadTokens: 1000,
        outputTokens: (2 * tokens) / 3,
        record: usageRecord({ instance: "gpu-1" }, minute + 1),
      },
      minute,
    );
    return [
      ...energy.observe(state, seen, context),
      ...(energy.measure?.(state, reading, nowMs, context) ?? []),
      ...energy.tick(state, nowMs, context),
    ].map((verdict): Verdict & { minute: number } => ({ ...verdict, minute }));
  });
}

/** 400 W idle and half a joule a token, with a tenth of noise. */
function usual(minutes: number, tokensOf: (minute: number) => number, worse = 1): Minute[] {
  const random = seededRandom(minutes);
  return Array.from({ length: minutes }, (_, minute) => {
    const tokens = tokensOf(minute);
    return { tokens, joules: (400 * 60 + 0.5 * tokens) * worse * (0.95 + 0.1 * random()) };
  });
}

it("tells within an hour that each token takes 1.3 times the energy, since when, in joules and tokens", () => {
  const verdicts = judged([...usual(600, () => 60_000), ...usual(120, () => 60_000, 1.3)]);
  const [first] = verdicts;
  expect(first).toMatchObject({
    kind: "tokens_per_joule",
    status: "firing",
    unit: "tokens_per_joule",
    direction: "down",
  });
  expect(Math.abs((first?.onsetMs ?? 0) - (startMs + 600 * 60_000))).toBeLessThanOrEqual(10 * 60_000);
  expect(first?.minute).toBeLessThan(660);
  // 60,000 tokens in 54,000 J, and in 1.3 times that.
  expect(first?.expected).toBeCloseTo(60 / 54, 1);
  expect(first?.observed).toBeCloseTo(60 / 54 / 1.3, 1);
  const { tokens, joules, joules_above_usual: above } = (first?.evidence ?? {}) as Record<string, number>;
  expect((tokens ?? 0) / (joules ?? 1)).toBeCloseTo(first?.observed ?? 0, 3);
  expect((above ?? 0) / (joules ?? 1)).toBeCloseTo(0.3 / 1.3, 1);
  expect(first?.traceIds.length).toBe(3);
});

it("is over when it is as usual again, and learns a new normal after a day", () => {
  const ends = judged([...usual(600, () => 60_000), ...usual(120, () => 60_000, 1.5), ...usual(60, () => 60_000)]);
  expect(ends.at(-1)).toMatchObject({ status: "resolved" });
  expect(ends.at(-1)?.evidence["resolved_as"]).toBeUndefined();
  const stays = judged([...usual(600, () => 60_000), ...usual(2400, () => 60_000, 1.5)]);
  expect(stays.at(-1)).toMatchObject({ status: "resolved", evidence: { resolved_as: "new normal" } });
});

it.each<[string, readonly Minute[]]>([
  ["nights, when idle GPUs take energy for few tokens", usual(10_080, (at) => 30_000 + 28_000 * Math.sin(at / 229))],
  [
    "an hour in which nothing is answered",
    [...usual(600, () => 60_000), ...usual(60, () => 0), ...usual(600, () => 60_000)],
  ],
  ["better efficiency", [...usual(600, () => 60_000), ...usual(300, () => 60_000, 0.5)]],
  ["a twentieth more", [...usual(600, () => 60_000), ...usual(600, () => 60_000, 1.05)]],
  [
    "one window of three times the energy",
    [...usual(600, () => 60_000), ...usual(5, () => 60_000, 3), ...usual(300, () => 60_000)],
  ],
  ["calls without a reading", usual(600, () => 60_000).map(({ tokens }) => ({ tokens, joules: 0 }))],
])("is quiet about %s", (_, minutes) => {
  expect(judged(minutes)).toEqual([]);
});

it("takes nothing from readings that cover less than four fifths of a window", () => {
  const half = usual(1200, () => 60_000).map((minute, index) => (index % 5 < 2 ? minute : { ...minute, joules: 0 }));
  const state = energy.newState();
  for (const [index, { joules }] of half.entries()) {
    const fromUs = (startMs + index * 60_000) * 1000;
    const toUs = fromUs + 60_000_000;
    if (joules > 0) energy.measure?.(state, { instance: "gpu-1", fromUs, toUs, joules }, toUs / 1000, context);
  }
  expect(state.usual.every((number) => number === 0)).toBe(true);
});

it("keeps within its bytes, and decides the same when saved and restored at any minute", () => {
  const minutes = [...usual(600, () => 60_000), ...usual(60, () => 60_000, 1.4)];
  const whole = judged(minutes);
  expect(whole.length).toBeGreaterThan(0);
  const state = energy.newState();
  judged(minutes, state);
  expect(serialize(state).length).toBeLessThanOrEqual(energy.stateBytesMax);
  expect(energy.forget).toBeUndefined();
});
