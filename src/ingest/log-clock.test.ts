import { expect, it } from "vitest";
import { logClock } from "./log-clock.ts";

const dayMs = 86_400_000;

function clocks() {
  let [wallMs, steadyMs] = [1000 * dayMs, 5];
  const now = logClock({ wall: () => wallMs, steady: () => steadyMs });
  return {
    now,
    pass(milliseconds: number) {
      wallMs += milliseconds;
      steadyMs += milliseconds;
    },
    set(milliseconds: number) {
      wallMs += milliseconds;
    },
  };
}

it("is the wall clock while nobody sets that back", () => {
  const { now, pass, set } = clocks();
  pass(250);
  expect(now()).toBe(1000 * dayMs + 250);
  set(dayMs);
  expect(now()).toBe(1001 * dayMs + 250);
});

it("goes on at the same pace when the wall clock is set back a day, and meets it again when that has caught up", () => {
  const { now, pass, set } = clocks();
  set(-dayMs);
  expect(now()).toBe(1000 * dayMs);
  pass(700);
  expect(now()).toBe(1000 * dayMs + 700);
  set(dayMs + 300);
  expect(now()).toBe(1000 * dayMs + 1000);
});
