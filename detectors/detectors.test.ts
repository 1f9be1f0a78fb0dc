/** What every detector of the list owes: sane claims on any input, plain bounded states, the same answer after a restart. */

import { serialize } from "node:v8";
import { describe, expect, it } from "vitest";
import type { Detector, Observation, Verdict } from "./detector.ts";
import { detectors } from "./detectors.ts";
import { observation, seededRandom } from "./observation-samples.ts";

const startMs = Date.UTC(2026, 0, 5, 9);
const calls = 6000;

type Stream = readonly Observation[];

/** Two hours of usual calls; from the half on something goes wrong in every measure. */
function streams(): Record<string, Stream> {
  const random = seededRandom(11);
  const usual = (index: number): Partial<Observation> => ({
    atMs: startMs + index * 1200,
    inputTokens: Math.round(200 * Math.exp(random())),
    outputTokens: Math.round(100 * Math.exp(random())),
    nanoUsd: Math.round(1e7 * Math.exp(random())),
    tieBreak: random(),
  });
  const build = (change: (index: number) => Partial<Observation>): Stream => {
    let arrivedAtMs = 0;
    return Array.from({ length: calls }, (_, index) => {
      const values = { ...usual(index), ...change(index) };
      arrivedAtMs = Math.max(arrivedAtMs, values.arrivedAtMs ?? values.atMs ?? 0);
      return observation({ ...values, arrivedAtMs }, index);
    });
  };
  const late = (index: number) => index > calls / 2;
  return {
    "an incident in every measure": build((index) =>
      late(index)
        ? { inputTokens: 9000, outputTokens: 3000, nanoUsd: 5e8, failed: index % 3 === 0, truncated: index % 3 === 1 }
        : {},
    ),
    "time that goes backwards": build((index) => ({ atMs: startMs + (calls - index) * 1200 })),
    "one clock a day ahead": build((index) => (index % 100 === 0 ? { atMs: startMs + 86_400_000 } : {})),
    "all values equal": build(() => ({ inputTokens: 500, outputTokens: 50, nanoUsd: 1e6 })),
    "one value of 1e12": build((index) =>
      index === calls / 2 ? { inputTokens: 1e12, outputTokens: 1e12, nanoUsd: 1e15 } : {},
    ),
    "no prices": build(() => ({ nanoUsd: null })),
    "nothing but zeros": build(() => ({ inputTokens: 0, outputTokens: 0, nanoUsd: 0 })),
    "each call twice": build((index) => ({ atMs: startMs + (index >> 1) * 2400, tieBreak: (index >> 1) / calls })),
    corrections: build((index) => (index % 5 === 0 ? { calls: -1, nanoUsd: -1e7 } : {})),
    "tools among calls": build((index) => (index % 2 === 0 ? { calls: 0, nanoUsd: 0 } : {})),
  };
}

const all = streams();

function run(detector: Detector, stream: Stream, restartAt = -1): { verdicts: Verdict[]; state: object } {
  let state = detector.newState();
  const verdicts: Verdict[] = [];
  const context = { alarmAt: 1e5, settings: detector.settings, parent: null };
  let tickedMs = 0;
  for (const [index, seen] of stream.entries()) {
    if (index === restartAt) state = structuredClone(state);
    verdicts.push(...detector.observe(state, seen, context));
    if (seen.arrivedAtMs - tickedMs < 60_000) continue;
    tickedMs = seen.arrivedAtMs;
    verdicts.push(...detector.tick(state, tickedMs, context));
  }
  for (let hour = 1; hour <= 48; hour++) verdicts.push(...detector.tick(state, tickedMs + hour * 3_600_000, context));
  return { verdicts, state };
}

describe.each(detectors.map((detector) => [detector.name, detector] as const))("%s", (_name, detector) => {
  it.each(Object.entries(all))("makes only sane claims on %s, within its bytes", (_, stream) => {
    const { verdicts, state } = run(detector, stream);
    for (const verdict of verdicts) {
      expect(detector.kinds).toContain(verdict.kind);
      const numbers = [verdict.atMs, verdict.onsetMs, verdict.observed, verdict.expected, verdict.confidence];
      const money = [verdict.impactNanoUsd, verdict.impactNanoUsdPerHour];
      const evidence = Object.values(verdict.evidence).filter((value) => typeof value === "number");
      expect([...numbers, ...money, ...evidence].filter((value) => !Number.isFinite(value))).toEqual([]);
      expect(verdict.onsetMs).toBeLessThanOrEqual(verdict.atMs);
      expect(verdict.confidence).toBeGreaterThanOrEqual(0);
      expect(verdict.confidence).toBeLessThan(1);
      expect(verdict.effect).toMatch(/\w+ \w+/);
      expect(verdict.effect).not.toMatch(/NaN|Infinity|undefined/);
      expect(verdict.traceIds.length).toBeLessThanOrEqual(3);
    }
    expect(serialize(state).length).toBeLessThanOrEqual(detector.stateBytesMax);
  });

  it("decides the same when its state was saved and restored, at any call", () => {
    const stream = all["an incident in every measure"] ?? [];
    const { verdicts } = run(detector, stream);
    for (const restartAt of [1, calls / 2 - 1, calls / 2 + 20, calls - 1]) {
      expect(run(detector, stream, restartAt).verdicts).toEqual(verdicts);
    }
  });

  it("tells each incident once: firing, then resolved, in turn by kind", () => {
    for (const stream of Object.values(all)) {
      const open = new Set<string>();
      for (const { kind, status } of run(detector, stream).verdicts) {
        if (status === "resolved") expect(open.has(kind), `${kind} resolved before it fired`).toBe(true);
        if (status === "firing") open.add(kind);
        else open.delete(kind);
      }
    }
  });

  it("forgets what was firing when told that it is the new normal", () => {
    const stream = (all["an incident in every measure"] ?? []).slice(0, calls / 2 + 1500);
    const state = detector.newState();
    const context = { alarmAt: 1e5, settings: detector.settings, parent: null };
    for (const seen of stream) detector.observe(state, seen, context);
    detector.acknowledge(state);
    const lastMs = stream.at(-1)?.arrivedAtMs ?? 0;
    expect(detector.tick(state, lastMs + 1000, context)).toEqual([]);
  });
});
