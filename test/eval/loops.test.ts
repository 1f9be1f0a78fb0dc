import { expect, it } from "vitest";
import { runawayRun } from "../../detectors/runaway-run.ts";
import { alarmOf, circlingScores, ordinaryAlarms, realSessions, repeatsAt } from "./loops.ts";

it("catches a run that goes in circles of one to four steps within six repeats, half of the times", () => {
  const feature = runawayRun.newState();
  ordinaryAlarms(feature, { runs: 1000, seed: 1 });
  for (const score of circlingScores(feature, 60)) expect(repeatsAt(score, 0.5)).toBeLessThanOrEqual(6);
});

it("leaves ordinary and polling runs alone once it knows their tools: at most one alarm in 10,000 runs", {
  timeout: 60_000,
}, () => {
  const feature = runawayRun.newState();
  ordinaryAlarms(feature, { runs: 1000, seed: 1 });
  // 20,000 runs may raise two; a Poisson count of mean two is above five once in 60.
  expect(ordinaryAlarms(feature, { runs: 20_000, seed: 2 })).toBeLessThanOrEqual(5);
});

it("leaves real coding sessions alone, even where equal lengths stand in for equal arguments", async () => {
  const real = runawayRun.newState();
  const sessions = await realSessions();
  expect(sessions.length).toBeGreaterThan(300);
  expect(sessions.filter((session) => alarmOf(session, real) !== -1).length).toBeLessThanOrEqual(2);
});
