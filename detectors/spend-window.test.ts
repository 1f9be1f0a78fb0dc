import { describe, expect, it } from "vitest";
import { minuteSettings } from "./spend.ts";
import { addSpend, closeUntil, newWindowState, type WindowVerdict } from "./spend-window.ts";

const usd = 1e9;
const settings = minuteSettings({ excessUsdPerMinuteMin: 0.02, incidentUsdMin: 0.02 });

interface Decision extends WindowVerdict {
  readonly minute: number;
}

/** Feeds one spend per minute, in dollars, from minute 0, and returns what was decided. */
function decide(perMinute: readonly number[]): Decision[] {
  const state = newWindowState();
  const decisions: Decision[] = [];
  for (const [minute, spend] of perMinute.entries()) {
    const verdict = addSpend(state, minute, { nanoUsd: spend * usd, corrects: false }, settings);
    if (verdict !== null) decisions.push({ ...verdict, minute });
  }
  return decisions;
}

/** Deterministic noise around 1: 0.8 ... 1.2. */
const noisy = (minutes: number, scale = 1) =>
  Array.from({ length: minutes }, (_, minute) => scale * (1 + 0.2 * Math.sin(minute * 12.9898)));

describe("quiet", () => {
  it.each([
    ["on an hour of noise", noisy(60)],
    ["before it has ten minutes of history", [...noisy(9), 100]],
    ["on a spike of a cent", [...noisy(30, 0.0001), 0.01]],
    ["on one minute at 1.5 times the usual", [...noisy(30), 1.5, ...noisy(10)]],
    ["when spend falls to nothing", [...noisy(30), 0, 0, 0, 0, 0]],
    ["on a slow doubling over an hour", Array.from({ length: 60 }, (_, minute) => 1 + minute / 60)],
  ])("%s", (_, perMinute) => {
    expect(decide(perMinute)).toEqual([]);
  });
});

describe("fires", () => {
  it("on a burst whose calls come minutes late, dated to when they were made, once", () => {
    const state = newWindowState();
    const add = (minute: number, dollars: number, corrects = false) =>
      addSpend(state, minute, { nanoUsd: dollars * usd, corrects }, settings);
    for (const [minute, dollars] of noisy(30).entries()) expect(add(minute, dollars)).toBeNull();
    expect(add(26, 50, true)).toBeNull();
    add(26, -50, true);
    expect(add(27, 0.5)).toBeNull();
    const told = add(27, 9.5);
    expect(told).toMatchObject({ status: "firing", onset: 27, test: "open_window" });
    expect(Math.abs((told?.excess ?? 0) / usd - 10)).toBeLessThan(0.5);
    expect(add(27, 50)).toBeNull();
    const after = noisy(8).map((dollars, minute) => add(30 + minute, dollars));
    expect(after.flatMap((verdict) => (verdict === null ? [] : [verdict.status]))).toEqual(["resolved"]);
  });

  it("within the minute when it is ten times the usual, with the dollars above the expectation", () => {
    const [first] = decide([...noisy(30), 10]);
    expect(first).toMatchObject({ status: "firing", minute: 30, onset: 30, test: "open_window" });
    expect(first?.observed).toBe(10 * usd);
    expect(Math.abs((first?.expected ?? 0) / usd - 1)).toBeLessThan(0.1);
    expect(Math.abs((first?.excess ?? 0) / usd - 9)).toBeLessThan(0.1);
  });

  it("on a burst of which too little to be told came in time, and the rest minutes late", () => {
    const large = minuteSettings({ excessUsdPerMinuteMin: 20_000, incidentUsdMin: 1 });
    const state = newWindowState();
    const add = (minute: number, dollars: number) =>
      addSpend(state, minute, { nanoUsd: dollars * usd, corrects: false }, large);
    for (const [minute, dollars] of noisy(30).entries()) expect(add(minute, dollars)).toBeNull();
    for (const minute of [30, 31, 32, 33]) expect(add(minute, minute === 30 ? 12_500 : 1)).toBeNull();
    expect(add(30, 5000)).toBeNull();
    const told = add(30, 20_000);
    expect(told).toMatchObject({ status: "firing", onset: 30 });
    expect(Math.round((told?.expected ?? 0) / usd)).toBe(1);
    expect(add(34, 1)).toBeNull();
  });

  it("on a burst of which too little to be told came in one minute, and the rest in the next", () => {
    const usual = minuteSettings({ excessUsdPerMinuteMin: 0.02, incidentUsdMin: 1 });
    const state = newWindowState();
    const told = [...noisy(30), 2, 48].map((dollars, minute) =>
      addSpend(state, minute, { nanoUsd: dollars * usd, corrects: false }, usual),
    );
    expect(told.findIndex((verdict) => verdict !== null)).toBe(31);
  });

  it("on a lasting rise to 2.2 times the usual within 10 minutes, and dates it to its first minute", () => {
    const [first] = decide([...noisy(30), ...noisy(12, 2.2)]);
    expect(first).toMatchObject({ status: "firing", onset: 30, test: "cusum" });
    expect(first?.minute).toBeLessThanOrEqual(40);
  });

  it("once per incident, and resolves by itself after three calm minutes with the whole cost", () => {
    const decisions = decide([...noisy(30), 10, 10, 10, ...noisy(10)]);
    expect(decisions.map(({ status }) => status)).toEqual(["firing", "firing", "firing", "firing", "resolved"]);
    const resolved = decisions.at(-1);
    expect(resolved?.onset).toBe(30);
    expect(Math.abs((resolved?.excess ?? 0) / usd - 27)).toBeLessThan(1);
  });

  it("once for a rise that lasts at a level that single minutes would forgive", () => {
    const statuses = decide([...noisy(30), ...noisy(30, 2.2)]).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set(["firing"]));
  });

  it("again for a second incident, since the first never entered the baseline", () => {
    const decisions = decide([...noisy(30), 10, 10, ...noisy(10), 10]);
    expect(
      decisions.filter(({ status }, index) => status === "firing" && decisions[index - 1]?.status !== "firing"),
    ).toHaveLength(2);
  });
});

it("resolves by the passing of time alone", () => {
  const state = newWindowState();
  for (const [minute, spend] of [...noisy(30), 10].entries())
    addSpend(state, minute, { nanoUsd: spend * usd, corrects: false }, settings);
  expect(closeUntil(state, 33, settings)?.status).toBe("firing");
  expect(closeUntil(state, 40, settings)?.status).toBe("resolved");
});

it("forgets its history after a gap of more than an hour", () => {
  const state = newWindowState();
  for (const [minute, spend] of noisy(30).entries())
    addSpend(state, minute, { nanoUsd: spend * usd, corrects: false }, settings);
  expect(addSpend(state, 200, { nanoUsd: 50 * usd, corrects: false }, settings)).toBeNull();
});

it("adds late records to the minute they belong to", () => {
  const state = newWindowState();
  for (const [minute, spend] of noisy(30).entries())
    addSpend(state, minute, { nanoUsd: spend * usd, corrects: false }, settings);
  addSpend(state, 20, { nanoUsd: 0.5 * usd, corrects: false }, settings);
  expect(state.closed[20]).toBeGreaterThan(1.2 * usd);
});

it("sees a lasting doubling although a fifth of each minute arrives just after the next has begun", () => {
  const state = newWindowState();
  const statuses: string[] = [];
  const perMinute = [...noisy(50), ...noisy(12, 2)];
  for (const [minute, spend] of perMinute.entries()) {
    const late = (perMinute[minute - 1] ?? 0) * 0.2;
    for (const [at, part] of [
      [minute, spend * 0.1],
      [minute - 1, late],
      [minute, spend * 0.7],
    ] as const) {
      const verdict = at < 0 ? null : addSpend(state, at, { nanoUsd: part * usd, corrects: false }, settings);
      if (verdict !== null) statuses.push(`${verdict.status} ${verdict.onset}`);
    }
  }
  expect(new Set(statuses)).toEqual(new Set(["firing 50"]));
});

it("is plain data: a state that went through JSON decides the same", () => {
  const live = newWindowState();
  let saved = newWindowState();
  for (const [minute, spend] of [...noisy(30), 3, 3, 3, 3, 1, 1, 1, 1].entries()) {
    const expected = addSpend(live, minute, { nanoUsd: spend * usd, corrects: false }, settings);
    expect(addSpend(saved, minute, { nanoUsd: spend * usd, corrects: false }, settings)).toEqual(expected);
    saved = JSON.parse(JSON.stringify(saved));
  }
});
