import { expect, it } from "vitest";
import { usageRecord } from "../../detectors/observation-samples.ts";
import { meet, newNewcomers } from "./newcomers.ts";

const met = (index: number) => ({ record: usageRecord({}, index), arrivedAtMs: index });

it("makes a series of the second meeting, and hands on the first", () => {
  const newcomers = newNewcomers();
  expect(meet(newcomers, "run a", met(1))).toBeNull();
  expect(meet(newcomers, "run b", met(2))).toBeNull();
  expect(meet(newcomers, "run a", met(3))).toEqual([met(1)]);
});

it("still knows the name in a flood of others, without the record, and forgets the oldest beyond its bounds", () => {
  const newcomers = newNewcomers();
  for (let index = 0; index < 300_000; index++) expect(meet(newcomers, `run ${index}`, met(index))).toBeNull();
  expect([newcomers.recent.size, newcomers.older.size]).toEqual([8192, 200_000]);
  expect(meet(newcomers, "run 299999", met(1))).toEqual([met(299_999)]);
  expect(meet(newcomers, "run 200000", met(1))).toEqual([]);
  expect(meet(newcomers, "run 0", met(1))).toBeNull();
});
