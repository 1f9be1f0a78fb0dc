import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { TurnClock } from "./turn-clock.ts";

const opened: TurnClock[] = [];
afterEach(() => {
  for (const clock of opened.splice(0)) clock.stop();
});

function turnClock(): TurnClock {
  const clock = new TurnClock();
  opened.push(clock);
  return clock;
}

/** Until this thread has had that much CPU: under load the clock on the wall says more. */
function work(milliseconds: number): void {
  const { user, system } = process.threadCpuUsage();
  for (let used = 0; used < milliseconds * 1000; ) {
    const now = process.threadCpuUsage();
    used = now.user + now.system - user - system;
  }
}

test("the longest turn is told once, and then begun anew", async () => {
  const clock = turnClock();
  await sleep(20);
  clock.longestSeconds();
  work(10);
  await sleep(20);
  work(60);
  await sleep(20);
  const longest = clock.longestSeconds();
  expect(longest).toBeGreaterThanOrEqual(0.06);
  // Another turn of 60 ms beside it would be a clock that does not see where turns end.
  expect(longest).toBeLessThan(0.12);
  await sleep(20);
  expect(clock.longestSeconds()).toBeLessThan(0.05);
});

test("waiting is no work", async () => {
  const clock = turnClock();
  clock.longestSeconds();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 150);
  await sleep(20);
  expect(clock.longestSeconds()).toBeLessThan(0.1);
});
