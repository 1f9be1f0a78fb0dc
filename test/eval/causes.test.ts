import { beforeAll, expect, it } from "vitest";
import { type RecordedTraces, readRecordedTraces } from "./cause-world.ts";
import { noCauses, singleCauses } from "./causes.ts";

let traces: RecordedTraces;

beforeAll(async () => {
  traces = await readRecordedTraces();
});

it("names the calls that were changed first, in most of 200 incidents in real hours", { timeout: 240_000 }, () => {
  const verdicts = singleCauses(traces, 200);
  expect(verdicts.length).toBe(200);
  expect(verdicts.filter(({ top }) => top).length).toBeGreaterThanOrEqual(170);
  const large = verdicts.filter(({ effect }) => effect >= 0.2);
  expect(large.filter(({ top }) => top).length / large.length).toBeGreaterThanOrEqual(0.9);
});

it("names no calls where nothing was done or everything rose alike", { timeout: 120_000 }, () => {
  const { nothing, alike } = noCauses(traces, 40);
  expect(nothing.filter(({ named }) => named > 0).length).toBeLessThanOrEqual(6);
  expect(alike.filter(({ named }) => named > 0).length).toBeLessThanOrEqual(3);
});
