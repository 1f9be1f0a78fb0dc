import { expect, it } from "vitest";
import type { UsageRecord } from "../model/usage-record.ts";
import { entriesToPlan, type OffsetEntry } from "./plan.ts";

const dayUs = 86_400_000_000;

function entry(offset: number, rows: number, day = 0): OffsetEntry {
  const records = Array.from({ length: rows }, () => ({ startUs: day * dayUs }) as UsageRecord);
  return { offset, entry: { arrivedAtMs: 0, records } };
}

it("takes nothing of nothing", () => {
  expect(entriesToPlan([], { rowsMax: 10 })).toBe(0);
});

it("takes as many entries as fit into the rows", () => {
  expect(entriesToPlan([entry(1, 4), entry(2, 4), entry(3, 4)], { rowsMax: 8 })).toBe(2);
});

it("takes one entry that alone is too large: it cannot be cut", () => {
  expect(entriesToPlan([entry(1, 40), entry(2, 1)], { rowsMax: 8 })).toBe(1);
});

it("takes at most twenty days, so that no insert is refused for its partitions", () => {
  const entries = Array.from({ length: 25 }, (_, day) => entry(day + 1, 1, day));
  expect(entriesToPlan(entries, { rowsMax: 1000 })).toBe(20);
});

it("takes ticks along", () => {
  expect(entriesToPlan([entry(1, 0), entry(2, 3), entry(3, 0)], { rowsMax: 8 })).toBe(3);
});
