import { expect, it } from "vitest";
import { BetweenSteps } from "./between-steps.ts";

it("runs what was asked for in its order, one at a time, and tells each its own result", async () => {
  const between = new BetweenSteps();
  const seen: string[] = [];
  const work = (name: string) => async () => {
    seen.push(`${name} begins`);
    await new Promise((resolve) => setImmediate(resolve));
    seen.push(`${name} ends`);
    return name;
  };
  const first = between.run(work("first"));
  const broken = between.run(() => Promise.reject(new Error("broken")));
  const second = between.run(work("second"));
  expect(seen).toEqual([]);
  expect(between.asked().aborted).toBe(true);
  broken.catch(() => undefined);
  await between.runAll();
  expect(seen).toEqual(["first begins", "first ends", "second begins", "second ends"]);
  expect([await first, await second]).toEqual(["first", "second"]);
  await expect(broken).rejects.toThrow("broken");
  expect(between.asked().aborted).toBe(false);
});

it("rejects what waits, and what comes later, once there are no more turns", async () => {
  const between = new BetweenSteps();
  const waiting = between.run(() => Promise.resolve(1));
  between.close();
  await expect(waiting).rejects.toThrow("the resolver has stopped");
  await expect(between.run(() => Promise.resolve(1))).rejects.toThrow("the resolver has stopped");
});
