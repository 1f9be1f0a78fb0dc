import { expect, it } from "vitest";
import { KafkaPace } from "./kafka-pace.ts";

const nowMs = 1_000_000_000;

/** What becomes of one who tells what arrived so long ago, beside others. */
function paced(others: ReadonlyMap<number, number>, now: () => number = () => nowMs) {
  let asked = 0;
  const pace = new KafkaPace({
    others: async () => {
      asked++;
      return others;
    },
    now,
    askEveryMs: 0,
    patienceMs: 1000,
  });
  return { pace, asked: () => asked };
}

it("lets whoever keeps up go on without a question", async () => {
  const { pace, asked } = paced(new Map([[1, 0]]));
  await pace.keep(nowMs - 5000);
  expect(asked()).toBe(0);
});

it("holds back one that catches up while another is further behind, until that one has come near", async () => {
  const others = new Map([
    [1, nowMs - 500_000],
    [2, nowMs - 90_000],
  ]);
  const { pace } = paced(others);
  await pace.keep(nowMs - 495_000);
  let gone = false;
  const waiting = pace.keep(nowMs - 100_000).then(() => {
    gone = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(gone).toBe(false);
  others.set(1, nowMs - 105_000);
  await waiting;
});

it("waits no longer than its patience for one that does not move, and again once it does", async () => {
  let clockMs = nowMs;
  const others = new Map([[1, nowMs - 500_000]]);
  const { pace } = paced(others, () => (clockMs += 100));
  await pace.keep(nowMs - 100_000);
  expect(clockMs - nowMs).toBeGreaterThan(1000);
  others.set(1, nowMs - 400_000);
  const before = clockMs;
  await pace.keep(nowMs - 100_000);
  expect(clockMs - before).toBeGreaterThan(1000);
});

it("lets go when it is told to", async () => {
  const { pace } = paced(new Map([[1, 0]]));
  const waiting = pace.keep(nowMs - 100_000);
  pace.stop();
  await waiting;
});
