import { hash } from "node:crypto";
import { serialize } from "node:v8";
import { expect, it } from "vitest";
import type { UsageRecord } from "../src/model/usage-record.ts";
import type { Observation } from "./detector.ts";
import { duplicatePrompts } from "./duplicate-prompts.ts";
import { observation, seededRandom, usageRecord } from "./observation-samples.ts";

const startMs = Date.UTC(2026, 0, 5, 9);
const context = { alarmAt: 1e7, settings: duplicatePrompts.settings, parent: null };

type Call = Partial<Observation> & { readonly prompt: number; readonly is?: Partial<UsageRecord> };

/** Two-cent calls, one every ten seconds, each taking two. @returns the verdicts with the calls before them. */
function judged(calls: readonly Call[], state = duplicatePrompts.newState()) {
  return calls.flatMap(({ prompt, is, ...values }, index) => {
    const promptHash = prompt < 0 ? "" : hash("sha256", String(prompt)).slice(0, 16);
    const atMs = startMs + index * 10_000;
    const record = usageRecord({ promptHash, ...is }, index + 1);
    const seen = observation({ atMs, durationMs: 2000, nanoUsd: 2e7, ...values, record }, index);
    return duplicatePrompts.observe(state, seen, context).map((verdict) => ({ ...verdict, calls: index + 1 }));
  });
}

const many = (count: number, of: (index: number) => Call) => Array.from({ length: count }, (_, index) => of(index));

it("tells what a memo would have spared: repeats, dollars since when and an hour, three traces", () => {
  // Of four calls three ask what was asked before: 25 of the first 38 are repeats, worth 50 cents.
  const [first] = judged(many(100, (index) => ({ prompt: index % 4 === 0 ? 1000 + index : index % 4 })));
  expect(first).toMatchObject({
    kind: "duplicate_prompts",
    status: "firing",
    onsetMs: startMs,
    unit: "share",
    expected: 0,
    impactNanoUsd: 500_000_000,
    evidence: { repeats: 25, spared_nano_usd: 500_000_000 },
  });
  expect(first?.calls).toBe(38);
  expect(first?.evidence["calls"]).toBe(38);
  expect(first?.observed).toBe(0.6579);
  expect(first?.impactNanoUsdPerHour).toBe(Math.round((5e8 * 3_600_000) / 370_000));
  expect(first?.traceIds.length).toBe(3);
});

it("is told again when it has doubled, and is over when the repeats are", () => {
  const repeated = many(180, () => ({ prompt: 1 }));
  const fresh = many(400, (index) => ({ prompt: 100 + index }));
  const verdicts = judged([...repeated, ...fresh]);
  expect(verdicts.map(({ status }) => status)).toEqual(["firing", "firing", "firing", "resolved"]);
  const resolved = verdicts.at(-1);
  expect(resolved?.impactNanoUsd).toBe(179 * 2e7);
  expect(resolved?.calls).toBeGreaterThan(360);
});

it("is over an hour after the last repeat where nothing comes any more", () => {
  const state = duplicatePrompts.newState();
  judged(
    many(100, () => ({ prompt: 1 })),
    state,
  );
  const lastMs = startMs + 99 * 10_000;
  expect(duplicatePrompts.tick(state, lastMs + 3_500_000, context)).toEqual([]);
  expect(duplicatePrompts.tick(state, lastMs + 3_600_000, context)).toMatchObject([{ status: "resolved" }]);
});

it.each<[string, readonly Call[]]>([
  ["prompts that differ", many(2000, (index) => ({ prompt: index }))],
  ["calls without a hash", many(2000, () => ({ prompt: -1 }))],
  [
    "retries after failures",
    many(2000, (index) => ({ prompt: index >> 2, failed: index % 4 < 3, is: { flags: ["repeated_attempt"] } })),
  ],
  [
    "the same prompt again after an answer that was cut off",
    many(2000, (index) => ({ prompt: index >> 1, truncated: index % 2 === 0 })),
  ],
  [
    "ten samples of each prompt, drawn side by side",
    many(2000, (index) => ({
      prompt: Math.floor(index / 10),
      atMs: startMs + Math.floor(index / 10) * 60_000 + index * 10,
    })),
  ],
  [
    "a nightly index made anew in batches",
    many(2000, (index) => ({ prompt: index % 500, is: { operation: "embeddings", serviceTier: "batch" } })),
  ],
  ["a health check of a hundredth of a cent each ten seconds", many(2000, () => ({ prompt: 1, nanoUsd: 1e5 }))],
  [
    "a health check among dear calls",
    many(2000, (index) => ({ prompt: index % 20 === 0 ? 0 : index, nanoUsd: index % 20 === 0 ? 1e7 : 5e7 })),
  ],
  ["prompts that come again after two hours", many(2000, (index) => ({ prompt: index % 720 }))],
  ["calls without a price", many(2000, () => ({ prompt: 1, nanoUsd: null }))],
])("is quiet about %s", (_, calls) => {
  expect(judged(calls)).toEqual([]);
});

it("what was called normal fires again at twice as much", () => {
  const state = duplicatePrompts.newState();
  const half = (index: number): Call => ({ prompt: index % 2 === 0 ? 1 : 1000 + index });
  expect(judged(many(720, half), state).length).toBeGreaterThan(0);
  duplicatePrompts.acknowledge(state);
  const later = (calls: readonly Call[], hours: number) =>
    judged(
      calls.map((call, index) => ({ ...call, atMs: startMs + hours * 3_600_000 + index * 10_000 })),
      state,
    );
  expect(later(many(720, half), 2)).toEqual([]);
  expect(
    later(
      many(720, (index) => ({ ...half(index), nanoUsd: 6e7 })),
      4,
    ),
  ).toMatchObject([{ status: "firing" }, {}]);
});

it("keeps within its bytes however many prompts an hour has", () => {
  const state = duplicatePrompts.newState();
  const random = seededRandom(9);
  judged(
    many(100_000, (index) => ({ prompt: Math.floor(random() * 1e9), atMs: startMs + index * 20, durationMs: 0 })),
    state,
  );
  expect(serialize(state).length).toBeLessThanOrEqual(duplicatePrompts.stateBytesMax);
});
