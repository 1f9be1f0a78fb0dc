import { expect, it } from "vitest";
import { usageRecord } from "../../detectors/observation-samples.ts";
import type { Finding } from "../model/finding.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import { grade, opened } from "./backtest.ts";

const finding: Finding = {
  detector: "spend",
  kind: "spend_above_baseline",
  series: { tenant: "acme", feature: "search" },
  severity: "page",
  status: "firing",
  atMs: 10_000,
  onsetMs: 5000,
  unit: "nano_usd_per_minute",
  observed: 2,
  expected: 1,
  direction: "up",
  effect: "spend is 2.0x the usual",
  confidence: 0.9,
  impactNanoUsd: 1,
  impactNanoUsdPerHour: 1,
  traceIds: [],
  folded: [],
  evidence: {},
};
const label = { series: { tenant: "acme", feature: "search" }, fromMs: 4000, untilMs: 60_000 };
const records: UsageRecord[] = [3000, 5000, 9000, 11_000].map((atMs, index) =>
  usageRecord({ endUs: atMs * 1000, costNanoUsd: 7 }, index),
);

it("counts each incident once, however often it is told", () => {
  const resolved = { ...finding, status: "resolved" as const };
  expect(opened([finding, finding, resolved, finding])).toEqual([finding, finding]);
});

it("gives the delay from the label's onset in records, time and dollars", () => {
  const { labels, precision, recall } = grade([finding], [label], records);
  expect(labels[0]).toMatchObject({ delayRecords: 2, delayMs: 6000, delayNanoUsd: 14 });
  expect([precision, recall]).toEqual([1, 1]);
});

it("does not count a finding that is dated before the label, or is about another feature", () => {
  const before = { ...finding, onsetMs: -100_000 };
  const elsewhere = { ...finding, series: { tenant: "acme", feature: "chat" } };
  expect(grade([before, elsewhere], [label], records)).toMatchObject({ precision: 0, recall: 0 });
});

it("takes the finding about the whole tenant for a label on one of its features", () => {
  expect(grade([{ ...finding, series: { tenant: "acme" } }], [label], records).recall).toBe(1);
});
