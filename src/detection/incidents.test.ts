import { describe, expect, it } from "vitest";
import { defaultFold, newIncidents, passTime, type RaisedClaim, raise } from "./incidents.ts";

const minuteMs = 60_000;
const startMs = Date.UTC(2026, 0, 5, 9);

/** A page about spend of a feature, begun at the start, with what a case is about instead. */
function claim(changed: Partial<RaisedClaim> = {}): RaisedClaim {
  return {
    detector: "spend",
    kind: "spend_above_baseline",
    series: { tenant: "acme", feature: "search" },
    severity: "page",
    whole: false,
    status: "firing",
    atMs: startMs,
    onsetMs: startMs,
    unit: "nano_usd_per_minute",
    observed: 2,
    expected: 1,
    direction: "up",
    effect: "spend is 2.0x the usual",
    confidence: 0.99,
    impactNanoUsd: 1e9,
    impactNanoUsdPerHour: 1e9,
    traceIds: [],
    evidence: {},
    ...changed,
  };
}

const ticket = (changed: Partial<RaisedClaim> = {}) =>
  claim({
    detector: "token-shift",
    kind: "input_tokens_shift",
    series: { tenant: "acme", feature: "search", model: "gpt-4o" },
    severity: "ticket",
    effect: "inputs are 2.0x longer",
    ...changed,
  });
const whole = (changed: Partial<RaisedClaim> = {}) => claim({ series: { tenant: "acme" }, whole: true, ...changed });

/** Raises claims at minutes after the start and lets time pass to the end; says what was told, and when. */
function play(claims: readonly (readonly [number, RaisedClaim])[], untilMinute = 60) {
  const state = newIncidents();
  const told: string[] = [];
  for (let minute = 0; minute <= untilMinute; minute++) {
    const nowMs = startMs + minute * minuteMs;
    const findings = passTime(state, nowMs, defaultFold);
    for (const [at, each] of claims) if (at === minute) findings.push(...raise(state, each, nowMs, defaultFold));
    for (const { status, kind, series, folded } of findings) {
      const who = [series.feature, series.model].filter(Boolean).join("/") || "whole";
      told.push(`${minute} ${status} ${kind} ${who}${folded.map(({ kind: part }) => ` +${part}`).join("")}`);
    }
  }
  return told;
}

describe("a page", () => {
  it("goes out at once, and takes along the ticket that waits", () => {
    expect(
      play([
        [0, ticket()],
        [2, claim()],
      ]),
    ).toEqual(["2 firing spend_above_baseline search +input_tokens_shift"]);
  });

  it("keeps later tickets of its branch quiet, while it is open and for what began then", () => {
    const late = ticket({ onsetMs: startMs + 2 * minuteMs });
    expect(
      play([
        [0, claim()],
        [4, late],
        [9, claim({ status: "resolved" })],
      ]),
    ).toEqual(["0 firing spend_above_baseline search", "9 resolved spend_above_baseline search +input_tokens_shift"]);
  });

  it("says nothing of another feature or tenant", () => {
    const elsewhere = claim({ series: { tenant: "acme", feature: "chat" } });
    const foreign = claim({ series: { tenant: "other", feature: "search" } });
    expect(
      play([
        [0, claim()],
        [1, elsewhere],
        [2, foreign],
      ]),
    ).toHaveLength(3);
  });

  it("about a whole waits a minute for its parts and is folded into one that explains it", () => {
    const claims = [
      [0, whole()],
      [0, claim({ impactNanoUsd: 0.9e9 })],
    ] as const;
    expect(play(claims, 10)).toEqual(["0 firing spend_above_baseline search"]);
  });

  it("about a whole is told when its parts explain too little of it, and then stands for the parts to come", () => {
    const other = claim({ series: { tenant: "acme", feature: "chat" } });
    expect(
      play(
        [
          [0, claim({ impactNanoUsd: 0.1e9 })],
          [0, whole()],
          [3, other],
        ],
        10,
      ),
    ).toEqual(["0 firing spend_above_baseline search", "1 firing spend_above_baseline whole"]);
  });
});

describe("what was a ticket and has become a page", () => {
  const quiet = ticket({ kind: "spend_above_baseline", series: { tenant: "acme", feature: "search" } });
  const loud = { ...quiet, severity: "page" } as const;

  it("goes out at once while it waits, and is told as a page where it was told as a ticket", () => {
    expect(
      play([
        [0, quiet],
        [2, loud],
      ]),
    ).toEqual(["2 firing spend_above_baseline search"]);
    const state = newIncidents();
    raise(state, quiet, startMs, defaultFold);
    const first = passTime(state, startMs + 6 * minuteMs, defaultFold);
    const second = raise(state, loud, startMs + 7 * minuteMs, defaultFold);
    expect([first[0]?.severity, second[0]?.severity]).toEqual(["ticket", "page"]);
  });

  it("leaves the ticket that it was folded into", () => {
    const other = ticket();
    expect(
      play([
        [0, other],
        [6, quiet],
        [8, loud],
      ]),
    ).toEqual(["5 firing input_tokens_shift search/gpt-4o", "8 firing spend_above_baseline search"]);
  });

  it("stays a page to its end", () => {
    const state = newIncidents();
    raise(state, loud, startMs, defaultFold);
    const [later] = raise(state, quiet, startMs + minuteMs, defaultFold);
    const [ended] = raise(state, { ...quiet, status: "resolved" }, startMs + 2 * minuteMs, defaultFold);
    expect([later?.severity, ended?.severity, ended?.status]).toEqual(["page", "page", "resolved"]);
  });
});

describe("a ticket", () => {
  it("is told after five minutes when no page explains it", () => {
    expect(play([[0, ticket()]])).toEqual(["5 firing input_tokens_shift search/gpt-4o"]);
  });

  it("that ended before it was due is told only if it cost something", () => {
    const ended = { status: "resolved" as const };
    expect(
      play([
        [0, ticket()],
        [2, ticket({ ...ended, impactNanoUsd: 1e6 })],
      ]),
    ).toEqual([]);
    expect(
      play([
        [0, ticket()],
        [2, ticket({ ...ended, impactNanoUsd: 2e9 })],
      ]),
    ).toEqual(["5 firing input_tokens_shift search/gpt-4o", "5 resolved input_tokens_shift search/gpt-4o"]);
    // The page that explains it may come after its end, and does not find it told.
    expect(
      play([
        [0, ticket()],
        [2, ticket({ ...ended, impactNanoUsd: 2e9 })],
        [3, claim()],
      ]),
    ).toEqual(["3 firing spend_above_baseline search +input_tokens_shift"]);
    const again = play([
      [0, ticket()],
      [2, ticket({ ...ended, impactNanoUsd: 2e9 })],
      [3, claim()],
      [4, claim(ended)],
      [50, ticket({ onsetMs: startMs + 50 * minuteMs })],
    ]);
    expect(again.at(-1)).toBe("55 firing input_tokens_shift search/gpt-4o");
  });

  it("takes along other tickets of its feature, so that one cause makes one", () => {
    const output = ticket({ kind: "output_tokens_shift" });
    const cost = ticket({ kind: "call_cost_shift", series: { tenant: "acme", feature: "search" } });
    expect(
      play(
        [
          [0, ticket()],
          [1, output],
          [2, cost],
        ],
        30,
      ),
    ).toEqual(["5 firing input_tokens_shift search/gpt-4o +output_tokens_shift +call_cost_shift"]);
  });

  it("never keeps a page quiet", () => {
    expect(
      play([
        [0, ticket()],
        [8, claim()],
      ]),
    ).toEqual(["5 firing input_tokens_shift search/gpt-4o", "8 firing spend_above_baseline search"]);
  });
});

it("an incident whose series was forgotten ends after a day", () => {
  const told = play([[0, claim()]], 24 * 60 + 2);
  expect(told).toEqual(["0 firing spend_above_baseline search", "1441 resolved spend_above_baseline search"]);
});
