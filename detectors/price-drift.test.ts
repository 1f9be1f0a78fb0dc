import { expect, it } from "vitest";
import { observation, usageRecord } from "./observation-samples.ts";
import { priceDrift } from "./price-drift.ts";

/** Two-cent calls by our list, reported at a multiple of it. @returns the verdicts with the calls before them. */
function judged(multiples: readonly number[]) {
  const state = priceDrift.newState();
  const context = { alarmAt: 1e7, settings: priceDrift.settings, parent: null };
  return multiples.flatMap((multiple, index) => {
    const record = usageRecord({ costStatus: "priced", reportedNanoUsd: Math.round(2e7 * multiple) }, index + 1);
    const verdicts = priceDrift.observe(
      state,
      observation({ atMs: index * 1000, nanoUsd: 2e7, record }, index),
      context,
    );
    return verdicts.map((verdict) => ({ ...verdict, calls: index + 1 }));
  });
}

const times = (count: number, multiple: number) => Array.from({ length: count }, () => multiple);

it("speaks after a dollar that differs by more than half a percent, in either direction", () => {
  const [up] = judged(times(60, 1.1));
  // 46 calls are reported at $1.012 and listed at $0.92.
  expect(up).toMatchObject({ calls: 46, status: "firing", direction: "up", impactNanoUsd: 92_000_000 });
  expect(up?.effect).toBe("the reported cost is 10.0 % above our price list");
  expect(judged(times(60, 0.5))[0]).toMatchObject({ calls: 50, direction: "down", impactNanoUsd: -500_000_000 });
});

it("is quiet about rounding, about less than a dollar, and about calls without both figures", () => {
  expect(judged(times(500, 1.004))).toEqual([]);
  expect(judged(times(40, 2)).length).toBe(1);
  expect(judged(times(24, 2))).toEqual([]);
});

it("resolves when the next dollar agrees", () => {
  expect(judged([...times(46, 1.1), ...times(60, 1)]).map(({ status }) => status)).toEqual(["firing", "resolved"]);
});
