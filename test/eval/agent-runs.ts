/** Runs of agents, drawn by a seed: ordinary ones, ones that poll, and ones that go in circles from a known step on. */

import type { Observation } from "../../detectors/detector.ts";
import { observation, usageRecord } from "../../detectors/observation-samples.ts";
import type { Random } from "./random.ts";

export interface AgentRun {
  readonly steps: readonly Observation[];
  /** Index of the first step of the circle's second round, -1 in a run without. */
  readonly repeatsFrom: number;
}

const tools = ["search", "read", "edit", "run_tests", "list"] as const;
const startMs = Date.UTC(2026, 0, 5, 9);

interface Step {
  readonly tool: string;
  readonly toolArgsHash: string;
}

/** What an agent usually asks: something new, or now and then what it asked a moment ago; its tests always the same. */
function usualStep(before: readonly Step[], random: Random): Step {
  const again = before[before.length - 1 - random.below(4)];
  if (again !== undefined && random.next() < 0.06) return again;
  const tool = random.pick(tools);
  return { tool, toolArgsHash: tool === "run_tests" ? "all" : String(random.below(1e9)) };
}

/** Steps as observations of one run: six seconds apart, with a context that grows by some hundred tokens a step. */
function observed(run: string, steps: readonly Step[], random: Random): Observation[] {
  let inputTokens = 2000 + random.below(20_000);
  return steps.map(({ tool, toolArgsHash }, index) => {
    inputTokens += 100 + random.below(600);
    const atMs = startMs + index * 6000;
    const record = usageRecord({ run, tool, toolArgsHash, finishReason: "tool_calls" }, index);
    return observation({ atMs, inputTokens, outputTokens: 80, nanoUsd: 3000 * inputTokens, record }, index);
  });
}

/** A run of 5 to 120 steps; one in ten polls: `wait` or `status` with the same arguments, 5 to 60 times. */
export function ordinaryRun(name: string, random: Random): AgentRun {
  const steps: Step[] = [];
  const length = 5 + Math.floor(115 * random.next() ** 2);
  const pollsAt = random.next() < 0.1 ? random.below(length) : -1;
  while (steps.length < length) {
    if (steps.length === pollsAt) {
      const poll = { tool: random.pick(["wait", "job_state"]), toolArgsHash: String(random.below(1e9)) };
      const times = 5 + random.below(55);
      for (let again = 0; again < times; again++) steps.push(poll);
    }
    steps.push(usualStep(steps, random));
  }
  return { steps: observed(name, steps, random), repeatsFrom: -1 };
}

/** A run that turns in a circle of `period` different steps, `rounds` times over, after some usual ones. */
export function circlingRun(name: string, period: number, rounds: number, random: Random): AgentRun {
  const steps: Step[] = [];
  const usual = 3 + random.below(30);
  while (steps.length < usual) steps.push(usualStep(steps, random));
  const circle = Array.from({ length: period }, (_, index) => ({
    tool: tools[(random.below(4) + index) % tools.length] ?? "search",
    toolArgsHash: `circle ${random.below(1e9)}`,
  }));
  for (let round = 0; round < rounds; round++) steps.push(...circle);
  return { steps: observed(name, steps, random), repeatsFrom: usual + period };
}
