/** Bursts whose calls come minutes late, in parts: what a hung connection or a store that is away does to arrivals. */

import { expect, it } from "vitest";
import { detectors } from "../../detectors/detectors.ts";
import { seededRandom, usageRecord } from "../../detectors/observation-samples.ts";
import { type Arrival, backtest, opened } from "./backtest.ts";

const minuteMs = 60_000;
const calmMinutes = 30;
const tenants = Array.from({ length: 12 }, (_, index) => `tenant-${index}`);
const startMs = Date.UTC(2026, 0, 5, 9);
const burstsFromMs = startMs + (calmMinutes + 1) * minuteMs;
/** One call of $50 is no incident here, and a quarter of a burst is not either. */
const choices = { spend: { settings: { excess_usd_per_minute_min: 20_000 } } };
const [burstCalls, burstUsd, latestMs] = [1000, 50, 200_000];

/** Half an hour of a dollar a minute for every tenant, then a burst of each, every quarter of it late by a time of its own. */
function arrivalsOf(seed: number): Arrival[] {
  const random = seededRandom(seed);
  const arrivals: Arrival[] = [];
  const call = (tenant: string, atMs: number, usd: number, arrivedAtMs: number) => {
    const [startUs, endUs] = [Math.round((atMs - 1000) * 1000), Math.round(atMs * 1000)];
    const values = { tenant, feature: "burst", startUs, endUs, costNanoUsd: usd * 1e9 };
    arrivals.push({ arrivedAtMs, record: usageRecord(values, arrivals.length) });
  };
  for (let minute = 0; minute < calmMinutes; minute++)
    for (const tenant of tenants) call(tenant, startMs + minute * minuteMs, 1, startMs + minute * minuteMs);
  let atMs = burstsFromMs;
  for (const tenant of tenants) {
    const lateMs = Array.from({ length: 4 }, () => random() * latestMs);
    for (let index = 0; index < burstCalls; index++) call(tenant, atMs, burstUsd, atMs + (lateMs[index % 4] ?? 0));
    atMs += 12_000 + random() * 90_000;
  }
  return arrivals.sort((a, b) => a.arrivedAtMs - b.arrivedAtMs);
}

it.each([1, 2, 3, 4])("tells every one of twelve, in seed %i", (seed) => {
  const found = opened([...backtest(arrivalsOf(seed), { detectors, choices, seriesMax: 1000 })]);
  const told = found.filter(({ kind }) => kind === "spend_above_baseline").map(({ series }) => series.tenant);
  expect(new Set(told)).toEqual(new Set(tenants));
});
