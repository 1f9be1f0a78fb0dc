/** What each detector is for: quiet before its incident, firing soon after, dated to it, over when it is over. */

import { describe, expect, it } from "vitest";
import { callCostShift } from "./call-cost-shift.ts";
import type { Detector, Observation, Verdict } from "./detector.ts";
import { goneQuiet } from "./gone-quiet.ts";
import { observation, seededRandom } from "./observation-samples.ts";
import { rateShift } from "./rate-shift.ts";
import { requestRate } from "./request-rate.ts";
import { shapeShift } from "./shape-shift.ts";
import { slowDrift } from "./slow-drift.ts";
import { spend } from "./spend.ts";
import { tokenShift } from "./token-shift.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const startMs = Date.UTC(2026, 0, 5);

interface Case {
  readonly detector: Detector;
  readonly kind: string;
  /** Time from one call to the next, how long it is calm, how long the incident and the calm after it last. */
  readonly everyMs: number;
  readonly calmMs: number;
  readonly incidentMs: number;
  readonly afterMs: number;
  readonly incident: (index: number, random: () => number, sinceOnset: number) => Partial<Observation> | null;
  /** Latest time from onset to claim, and how far its onset may be off. */
  readonly withinMs: number;
  readonly onsetWithinMs: number;
  readonly effect: RegExp;
}

/** Lognormal lengths with a standard deviation of about 0.9 in logarithms, as real ones have. */
function usual(random: () => number): Partial<Observation> {
  const wide = () => Math.exp(1.8 * (random() + random() + random() - 1.5));
  const [inputTokens, outputTokens] = [Math.round(800 * wide()), Math.round(200 * wide())];
  return { inputTokens, outputTokens, nanoUsd: inputTokens * 2500 + outputTokens * 10_000, tieBreak: random() };
}

const second = 1000;
const cases: Record<string, Case> = {
  "inputs twice as long": {
    detector: tokenShift,
    kind: "input_tokens_shift",
    everyMs: second,
    calmMs: hourMs,
    incidentMs: 20 * minuteMs,
    afterMs: 2 * hourMs,
    incident: (_, random) => ({ inputTokens: 2 * (usual(random).inputTokens ?? 0) }),
    withinMs: 4 * minuteMs,
    onsetWithinMs: 2 * minuteMs,
    effect: /^inputs are [12]\.\dx longer$/,
  },
  "calls half as dear again": {
    detector: callCostShift,
    kind: "call_cost_shift",
    everyMs: second,
    calmMs: hourMs,
    incidentMs: 30 * minuteMs,
    afterMs: 2 * hourMs,
    incident: (_, random) => ({ nanoUsd: 1.5 * (usual(random).nanoUsd ?? 0) }),
    withinMs: 10 * minuteMs,
    onsetWithinMs: 4 * minuteMs,
    effect: /^calls are 1\.\dx dearer$/,
  },
  "a fifth of the calls fail": {
    detector: rateShift,
    kind: "error_rate_shift",
    everyMs: second,
    calmMs: hourMs,
    incidentMs: 10 * minuteMs,
    afterMs: hourMs,
    incident: (index) => ({ failed: index % 5 === 0 }),
    withinMs: 2 * minuteMs,
    onsetWithinMs: 30 * second,
    effect: /errors are at \d+ % of calls/,
  },
  "answers are cut off": {
    detector: rateShift,
    kind: "truncation_rate_shift",
    everyMs: second,
    calmMs: hourMs,
    incidentMs: 10 * minuteMs,
    afterMs: hourMs,
    incident: (index) => ({ truncated: index % 3 === 0 }),
    withinMs: 2 * minuteMs,
    onsetWithinMs: 30 * second,
    effect: /cut-off answers are/,
  },
  "spend of five times the usual": {
    detector: spend,
    kind: "spend_above_baseline",
    everyMs: second,
    calmMs: hourMs,
    incidentMs: 10 * minuteMs,
    afterMs: hourMs,
    incident: (_, random) => ({ nanoUsd: 5 * (usual(random).nanoUsd ?? 0) }),
    withinMs: 3 * minuteMs,
    onsetWithinMs: minuteMs,
    effect: /^spend is [2-6]\.\dx the usual$/,
  },
  "three and a half calls where there was one": {
    detector: requestRate,
    kind: "request_rate_rise",
    everyMs: 2 * second,
    calmMs: 3 * hourMs,
    incidentMs: 20 * minuteMs,
    afterMs: hourMs,
    incident: () => ({}),
    withinMs: 8 * minuteMs,
    onsetWithinMs: 3 * minuteMs,
    effect: /^calls are [2-4]\.\dx as frequent$/,
  },
  "answers of one length only": {
    detector: shapeShift,
    kind: "output_tokens_shape",
    everyMs: 10 * second,
    calmMs: 3 * dayMs,
    incidentMs: 6 * hourMs,
    afterMs: 6 * hourMs,
    incident: () => ({ outputTokens: 200 }),
    withinMs: 2 * hourMs,
    onsetWithinMs: hourMs,
    effect: /^answers are (distributed otherwise|1\.\dx shorter) over the hour$/,
  },
  "two percent dearer a day": {
    detector: slowDrift,
    kind: "call_cost_drift",
    everyMs: 10 * minuteMs,
    calmMs: 20 * dayMs,
    incidentMs: 24 * dayMs,
    afterMs: 40 * dayMs,
    incident: (_, random, sinceOnset) => ({ nanoUsd: (usual(random).nanoUsd ?? 0) * 1.02 ** (sinceOnset / dayMs) }),
    withinMs: 24 * dayMs,
    onsetWithinMs: 28 * dayMs,
    effect: /^calls have become 1\.\d\dx dearer over \d+ days$/,
  },
};

/** Calls of the case in order; during a rate incident extra ones stand between. */
function callsOf({ detector, everyMs, calmMs, incidentMs, afterMs, incident }: Case): Observation[] {
  const random = seededRandom(3);
  const onsetMs = startMs + calmMs;
  const calls: Observation[] = [];
  let index = 0;
  for (let atMs = startMs; atMs < onsetMs + incidentMs + afterMs; ) {
    const wrong = atMs >= onsetMs && atMs < onsetMs + incidentMs;
    const changed = wrong ? incident(index, random, atMs - onsetMs) : {};
    calls.push(observation({ ...usual(random), ...changed, atMs, arrivedAtMs: atMs }, index++));
    const rush = wrong && detector === requestRate ? 3.5 : 1;
    atMs += (everyMs / rush) * (0.5 + random());
  }
  return calls;
}

function verdictsOf(detector: Detector, calls: readonly Observation[]): Verdict[] {
  const state = detector.newState();
  const context = { alarmAt: 1e7, settings: detector.settings, parent: null };
  const verdicts: Verdict[] = [];
  let tickedMs = 0;
  for (const call of calls) {
    verdicts.push(...detector.observe(state, call, context));
    if (call.atMs - tickedMs < minuteMs) continue;
    tickedMs = call.atMs;
    verdicts.push(...detector.tick(state, tickedMs, context));
  }
  return verdicts;
}

describe.each(Object.entries(cases))("%s", (_, each) => {
  const onsetMs = startMs + each.calmMs;
  const verdicts = verdictsOf(each.detector, callsOf(each));
  const own = verdicts.filter(({ kind }) => kind === each.kind);

  it("is told in time, and nothing before it", () => {
    expect(verdicts.filter(({ atMs }) => atMs < onsetMs)).toEqual([]);
    expect(own[0]?.status).toBe("firing");
    expect((own[0]?.atMs ?? 0) - onsetMs).toBeLessThanOrEqual(each.withinMs);
  });

  it("is dated, and said in words with numbers that agree", () => {
    const [first] = own;
    expect(Math.abs((first?.onsetMs ?? 0) - onsetMs)).toBeLessThanOrEqual(each.onsetWithinMs);
    expect(first?.effect).toMatch(each.effect);
    expect(first?.confidence).toBeGreaterThan(0.9);
    if (first?.direction === "up") expect(first.observed).toBeGreaterThan(first.expected);
  });

  it("ends by itself once, after the incident", () => {
    const resolved = own.filter(({ status }) => status === "resolved");
    expect(resolved).toHaveLength(1);
    expect(resolved[0]?.atMs).toBeGreaterThanOrEqual(onsetMs + each.incidentMs);
  });
});

it("silence is told while the whole goes on, and never when the whole ends", () => {
  const random = seededRandom(9);
  const [part, whole] = [goneQuiet.newState(), goneQuiet.newState()];
  const contextOf = (parent: object | null) => ({ alarmAt: 1e7, settings: goneQuiet.settings, parent });
  const verdicts: Verdict[] = [];
  for (let minute = 0; minute < 400; minute++) {
    const atMs = startMs + minute * minuteMs;
    for (let call = 0; call < 4 && minute < 320; call++) {
      const seen = observation({ atMs: atMs + random() * minuteMs }, minute * 4 + call);
      goneQuiet.observe(whole, seen, contextOf(null));
      if (call < 2 && minute < 180) verdicts.push(...goneQuiet.observe(part, seen, contextOf(whole)));
    }
    verdicts.push(...goneQuiet.tick(part, atMs + minuteMs, contextOf(whole)));
    verdicts.push(...goneQuiet.tick(whole, atMs + minuteMs, contextOf(null)));
  }
  expect(verdicts).toHaveLength(1);
  expect(verdicts[0]).toMatchObject({ kind: "gone_quiet", status: "firing", direction: "down", observed: 0 });
  const quietMinutes = ((verdicts[0]?.atMs ?? 0) - startMs) / minuteMs - 180;
  expect(quietMinutes).toBeGreaterThan(5);
  expect(quietMinutes).toBeLessThan(30);
});

it("a morning in which spend grows tenfold within two hours is no incident, spend at night as by day is one", () => {
  const random = seededRandom(5);
  const state = spend.newState();
  const context = { alarmAt: 1e7, settings: spend.settings, parent: null };
  const verdicts: Verdict[] = [];
  const days = 10;
  for (let minute = 0; minute < days * 24 * 60; minute++) {
    const atMs = startMs + minute * minuteMs;
    const hour = Math.floor(minute / 60) % 24;
    const time = (minute / 60) % 24;
    const day = time < 7 ? 2 : time < 9 ? 2 * 10 ** ((time - 7) / 2) : time < 21 ? 20 : 20 * 10 ** (-(time - 21) / 3);
    const extra = minute >= (days - 1) * 24 * 60 + 3 * 60 && hour < 7 ? 18 : 0;
    const perMinute = Math.round(5 * (day + extra));
    for (let call = 0; call < perMinute; call++) {
      const at = atMs + (call * minuteMs) / perMinute;
      const values = { atMs: at, arrivedAtMs: at, nanoUsd: 2e8 * (0.8 + 0.4 * random()) };
      verdicts.push(...spend.observe(state, observation(values, minute * 200 + call), context));
    }
  }
  const onsetMs = startMs + (days - 1) * dayMs + 3 * hourMs;
  expect(verdicts.filter(({ atMs }) => atMs < onsetMs)).toEqual([]);
  expect(verdicts[0]?.onsetMs).toBe(onsetMs);
  expect(verdicts[0]?.atMs).toBeLessThan(onsetMs + minuteMs);
});
