import { serialize } from "node:v8";
import { describe, expect, it } from "vitest";
import type { Observation, Verdict } from "./detector.ts";
import { observation, usageRecord } from "./observation-samples.ts";
import { runawayRun } from "./runaway-run.ts";

type Call = readonly [tool: string, args: string] | "failed" | "answer";

const startMs = Date.UTC(2026, 0, 5, 9);
const cent = 1e7;

/** Calls six seconds and a cent apart, with 1,000 more tokens of input each. */
function seen(calls: readonly Call[]): Observation[] {
  return calls.map((call, index) => {
    const [tool, toolArgsHash] = Array.isArray(call) ? call : ["", ""];
    const record = usageRecord({ run: "r1", tool, toolArgsHash }, index + 1);
    const atMs = startMs + index * 6000;
    return observation(
      { atMs, inputTokens: 1000 * (index + 1), nanoUsd: cent, failed: call === "failed", record },
      index + 1,
    );
  });
}

function judged(calls: readonly Call[], feature: object = runawayRun.newState()): Verdict[] {
  const state = runawayRun.newState();
  const context = { alarmAt: 1e7, settings: runawayRun.settings, parent: feature };
  return seen(calls).flatMap((each) => runawayRun.observe(state, each, context));
}

const times = (count: number, ...calls: readonly Call[]): Call[] => Array.from({ length: count }, () => calls).flat();
const different = (count: number): Call[] =>
  Array.from({ length: count }, (_, index) => ["read", `file ${index}`] as const);
/** A feature whose agents read a hundred different files in each of twenty runs. */
function feature(): object {
  const learnt = runawayRun.newState();
  for (let run = 0; run < 20; run++) judged(different(100), learnt);
  return learnt;
}

describe("fires", () => {
  it("when one call is repeated, with its repeats, dollars and traces", () => {
    const [first] = judged([...different(10), ...times(9, ["read", "same"])], feature());
    expect(first).toMatchObject({ kind: "runaway_run", status: "firing", unit: "calls", direction: "up" });
    expect(first?.effect).toBe("the run repeats the same tool call, and its context grows");
    // Steps are counted from 0: the circle's first step is the 11th call, its repeats cost a cent each.
    const repeats = Math.round(((first?.atMs ?? 0) - startMs) / 6000) - 10;
    expect(repeats).toBeLessThanOrEqual(6);
    expect(first?.observed).toBe(repeats);
    expect(first?.impactNanoUsd).toBe(repeats * cent);
    expect(first?.onsetMs).toBe(startMs + 11 * 6000);
    expect(first?.traceIds.length).toBe(3);
    expect(first?.confidence).toBeGreaterThan(0.9);
  });

  it.each([2, 3, 4])("when a cycle of %i calls goes round", (period) => {
    const cycle = Array.from({ length: period }, (_, index) => ["read", `part ${index}`] as const);
    const [first] = judged([...different(10), ...times(8, ...cycle)], feature());
    expect(first?.effect).toContain(`a cycle of ${period} tool calls`);
    expect(first?.evidence["period"]).toBe(period);
  });

  it("once, then again as the loop grows, and resolves when it is broken", () => {
    const verdicts = judged([...different(10), ...times(60, ["read", "same"]), ...different(8)], feature());
    expect(verdicts[0]?.status).toBe("firing");
    expect(verdicts.at(-1)?.status).toBe("resolved");
    // From 6 to 59 cents in steps of 15 % at least: 16 at most.
    const told = verdicts.filter(({ status }) => status === "firing").map(({ impactNanoUsd }) => impactNanoUsd);
    expect(told.length).toBeLessThanOrEqual(17);
    expect(told.every((nanoUsd, index) => index === 0 || nanoUsd >= 1.15 * (told[index - 1] ?? 0))).toBe(true);
  });
});

describe("is quiet", () => {
  it("about different calls, answers and failed attempts of one call", () => {
    expect(judged([...different(200), ...times(20, "answer"), ...times(20, "failed")])).toEqual([]);
  });

  it("about three calls of the same kind in a row", () => {
    expect(judged([...different(20), ...times(3, ["read", "same"]), ...different(20)], feature())).toEqual([]);
  });

  it("about a tool that polls, once forty runs have shown it to", () => {
    const learnt = feature();
    for (let run = 0; run < 40; run++)
      judged([...different(5), ...times(20, ["wait", `job ${run}`]), ...different(2)], learnt);
    expect(judged([...different(5), ...times(100, ["wait", "job"])], learnt)).toEqual([]);
    expect(judged([...different(5), ...times(10, ["read", "same"])], learnt).length).toBeGreaterThan(0);
  });

  it("about a tool call that is reported twice, by the model's answer and by its execution", () => {
    const twice = seen(different(200)).flatMap((call) => [
      call,
      { ...call, calls: 0 as const, nanoUsd: 0, record: { ...call.record, operation: "execute_tool" as const } },
    ]);
    const state = runawayRun.newState();
    const context = { alarmAt: 1e7, settings: runawayRun.settings, parent: feature() };
    expect(twice.flatMap((call) => runawayRun.observe(state, call, context))).toEqual([]);
  });
});

it("ends a loop that says nothing any more", () => {
  const state = runawayRun.newState();
  const context = { alarmAt: 1e7, settings: runawayRun.settings, parent: feature() };
  for (const call of seen(times(20, ["read", "same"]))) runawayRun.observe(state, call, context);
  expect(runawayRun.tick(state, startMs + 5 * 60_000, context)).toEqual([]);
  expect(runawayRun.tick(state, startMs + 20 * 60_000, context)).toMatchObject([{ status: "resolved" }]);
  expect(runawayRun.tick(state, startMs + 40 * 60_000, context)).toEqual([]);
});

it("stays within its bytes, whatever tools are called", () => {
  const learnt = runawayRun.newState();
  for (let run = 0; run < 100; run++) {
    judged(
      Array.from({ length: 100 }, (_, index) => [`tool ${run} ${index} ${"x".repeat(300)}`, "a"] as const),
      learnt,
    );
  }
  expect(serialize(learnt).length).toBeLessThanOrEqual(runawayRun.stateBytesMax);
});
