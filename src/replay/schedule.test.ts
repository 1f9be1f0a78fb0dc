import { expect, test } from "vitest";
import { type ReplayCall, unknownCall } from "./replay-call.ts";
import { type Speed, schedule } from "./schedule.ts";

const call = (endSeconds: number): ReplayCall => ({
  ...unknownCall,
  row: 1,
  traceKey: "",
  spanKey: "",
  startUs: endSeconds * 1e6,
  endUs: endSeconds * 1e6,
});
const calls = [call(-3600), call(-1800), call(0)];
const nowMs = 1_800_000_000_000;

/** Seconds from now: when each call is sent, and how it is dated. */
function plan(of: readonly ReplayCall[], speed: Speed) {
  const { zeroUs, dueMs } = schedule(of, { speed, nowMs });
  return of.map((each) => [(dueMs(each) - nowMs) / 1000, (zeroUs + each.endUs) / 1e6 - nowMs / 1000]);
}

test.each<[Speed, number[][]]>([
  [
    "max",
    [
      [0, -3600],
      [0, -1800],
      [0, 0],
    ],
  ],
  [
    1,
    [
      [0, 0],
      [1800, 1800],
      [3600, 3600],
    ],
  ],
  [
    60,
    [
      [0, -3540],
      [30, -1740],
      [60, 60],
    ],
  ],
  [
    0.5,
    [
      [0, 0],
      [3600, 1800],
      [7200, 3600],
    ],
  ],
])("at speed %s, calls are sent and dated like this", (speed, expected) => {
  expect(plan(calls, speed)).toEqual(expected);
});

test("the last call ends now even where an incident has put calls after the end of the trace", () => {
  expect(plan([...calls, call(8)], "max").at(-1)).toEqual([0, 0]);
});

test("original dates stay, whatever the pace", () => {
  const originalZeroUs = 1_700_000_000_000_000;
  expect(schedule(calls, { speed: 10, nowMs, originalZeroUs }).zeroUs).toBe(originalZeroUs);
});
