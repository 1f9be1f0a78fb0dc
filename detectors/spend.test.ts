/** How loud a rise of spend is: dearer calls page at once, more calls when they have cost what cannot wait. */

import { expect, it } from "vitest";
import type { Verdict } from "./detector.ts";
import { observation, seededRandom } from "./observation-samples.ts";
import { spend } from "./spend.ts";

const minuteMs = 60_000;
const startMs = Date.UTC(2026, 0, 5);
const calmMinutes = 180;
const onsetMs = startMs + calmMinutes * minuteMs;

/** Three hours of ten calls a minute at about a cent, then half an hour of others and one as before. */
function told(times: { readonly calls: number; readonly cost: number }): readonly Verdict[] {
  const random = seededRandom(3);
  const state = spend.newState();
  const context = { alarmAt: 1e7, settings: spend.settings, parent: null };
  const verdicts: Verdict[] = [];
  for (let minute = 0; minute < calmMinutes + 60; minute++) {
    const wrong = minute >= calmMinutes && minute < calmMinutes + 30;
    const calls = 10 * (wrong ? times.calls : 1);
    for (let call = 0; call < calls; call++) {
      const atMs = startMs + minute * minuteMs + (call * minuteMs) / calls;
      const nanoUsd = 1e7 * (0.5 + random()) * (wrong ? times.cost : 1);
      verdicts.push(...spend.observe(state, observation({ atMs, nanoUsd }, minute * 1000 + call), context));
    }
  }
  return verdicts;
}

const isPage = ({ ticketOnly }: Verdict) => ticketOnly !== true;

it("pages where calls cost five times as much, from the first telling on", () => {
  const verdicts = told({ calls: 1, cost: 5 });
  expect(verdicts[0]?.onsetMs).toBeGreaterThanOrEqual(onsetMs);
  expect(verdicts.every(isPage)).toBe(true);
});

it("leaves five times as many calls at the usual cost a ticket: the season of a first day is unknown", () => {
  const verdicts = told({ calls: 5, cost: 1 });
  expect(verdicts.map(({ status }) => status)).toContain("resolved");
  expect(verdicts[0]?.onsetMs).toBeGreaterThanOrEqual(onsetMs);
  expect(verdicts.some(isPage)).toBe(false);
});

it("pages fifty times as many calls once they have cost a quarter of a usual day, and not before", () => {
  const verdicts = told({ calls: 50, cost: 1 });
  const first = verdicts.find(isPage);
  expect(isPage(verdicts[0] as Verdict)).toBe(false);
  // A dime a minute is $144 a day; the excess of $4.90 a minute reaches $36 in the eighth minute.
  const minutes = ((first?.atMs ?? 0) - onsetMs) / minuteMs;
  expect(minutes).toBeGreaterThan(6);
  expect(minutes).toBeLessThan(10);
});
