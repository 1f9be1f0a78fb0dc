/** L1: after how many repeats a run that goes in circles is caught, and how often an ordinary one is. */

import type { Detector } from "../../detectors/detector.ts";
import { observation, usageRecord } from "../../detectors/observation-samples.ts";
import { runawayRun } from "../../detectors/runaway-run.ts";
import { readTrace } from "../../src/replay/read-trace.ts";
import { type AgentRun, circlingRun, ordinaryRun } from "./agent-runs.ts";
import type { Evaluation } from "./eval.ts";
import { randomOf } from "./random.ts";

const detector = runawayRun as Detector;
const periods = [1, 2, 3, 4];
const roundsOf = (period: number) => Math.ceil(60 / period);
const sizes = {
  quick: { runs: 2000, circles: 50 },
  usual: { runs: 40_000, circles: 400 },
  large: { runs: 400_000, circles: 2000 },
};
/** Ordinary runs by which a feature's tools are known. */
const known = 1000;

export interface LoopScore {
  readonly period: number;
  /** Steps that repeat an earlier one up to the alarm, one entry a run; null where none came. */
  readonly repeats: readonly (number | null)[];
}

/** Index of the step at which a run first raises an alarm, -1 where it raises none. The run goes on, and the feature learns. */
export function alarmOf(run: Pick<AgentRun, "steps">, feature: object): number {
  const state = detector.newState();
  const context = { alarmAt: 1e7, settings: detector.settings, parent: feature };
  let first = -1;
  for (const [index, step] of run.steps.entries()) {
    const fires = detector.observe(state, step, context).some(({ status }) => status === "firing");
    if (fires && first === -1) first = index;
  }
  return first;
}

/** Runs through ordinary runs of one feature. @returns how many raised an alarm. */
export function ordinaryAlarms(
  feature: object,
  { runs, seed }: { readonly runs: number; readonly seed: number },
): number {
  const random = randomOf(seed);
  let alarms = 0;
  for (let run = 0; run < runs; run++) if (alarmOf(ordinaryRun(`run-${run}`, random), feature) !== -1) alarms++;
  return alarms;
}

/** Circling runs of a feature that knows its tools; each is judged by what the feature knew before any of them. */
export function circlingScores(feature: object, circles: number): readonly LoopScore[] {
  const random = randomOf(5);
  return periods.map((period) => ({
    period,
    repeats: Array.from({ length: circles }, (_, run) => {
      const circling = circlingRun(`circle-${run}`, period, roundsOf(period), random);
      const at = alarmOf(circling, structuredClone(feature));
      return at < circling.repeatsFrom ? null : at - circling.repeatsFrom + 1;
    }),
  }));
}

/**
 * Real sessions of a coding agent. They tell no arguments, so the length of each answer that asks for a tool stands in for
 * them: two calls of equal length count as equal, which makes repeats of what were none.
 */
export async function realSessions(): Promise<readonly AgentRun[]> {
  const file = new URL("../../src/replay/data/claude_code_requests_dev.csv.gz", import.meta.url).pathname;
  const { calls } = await readTrace({ file });
  const byRun = Map.groupBy(calls, (call) => `${call.traceKey} ${call.agent}`);
  return [...byRun].map(([run, all]) => ({
    repeatsFrom: -1,
    steps: all
      .filter((call) => call.finishReason === "tool_use")
      .map((call, index) => {
        const record = usageRecord(
          { run, tool: "tool", toolArgsHash: String(call.outputTokens), model: call.model },
          index,
        );
        const atMs = Date.UTC(2026, 0, 5, 9) + (call.endUs - (all[0]?.endUs ?? 0)) / 1000;
        return observation(
          { atMs, inputTokens: call.inputTokens ?? 0, nanoUsd: 3000 * (call.inputTokens ?? 0), record },
          index,
        );
      }),
  }));
}

/** The value below which this share of the runs lies; runs that were never caught count as the largest. */
export function repeatsAt({ repeats }: LoopScore, share: number): number {
  const sorted = repeats.map((count) => count ?? Number.POSITIVE_INFINITY).sort((a, b) => a - b);
  return sorted[Math.ceil(share * sorted.length) - 1] ?? Number.POSITIVE_INFINITY;
}

export const loopsEvaluation: Evaluation = {
  name: "loops",
  summary: "runs in circles of one to four steps among ordinary and polling ones: repeats until caught, false alarms",
  async run({ size, progress }) {
    const { runs, circles } = sizes[size];
    const feature = detector.newState();
    const first = ordinaryAlarms(feature, { runs: known, seed: 1 });
    progress(0.1, "tools learnt");
    const scores = circlingScores(feature, circles);
    progress(0.4, "circles");
    const cold = circlingScores(detector.newState(), circles);
    const later = ordinaryAlarms(feature, { runs, seed: 2 });
    progress(0.8, "ordinary runs");
    const sessions = await realSessions();
    const real = detector.newState();
    const sessionAlarms = sessions.filter((session) => alarmOf(session, real) !== -1).length;
    const row = (knows: string) => (score: LoopScore) => [
      knows,
      score.period,
      repeatsAt(score, 0.5),
      repeatsAt(score, 0.95),
      score.repeats.filter((count) => count === null).length,
    ];
    return {
      tables: [
        {
          title: `Repeated steps until a circling run is caught, ${circles} runs each`,
          columns: [
            { title: "the feature's tools" },
            { title: "period", digits: 0 },
            { title: "median", digits: 0 },
            { title: "95 %", digits: 0 },
            { title: "never", digits: 0 },
          ],
          rows: [...scores.map(row("known from 1,000 runs")), ...cold.map(row("never seen before"))],
          notes: [
            "One run in ten polls: the same `wait` or `job_state` 5 to 60 times. `run_tests` always has the same arguments.",
          ],
        },
        {
          title: "False alarms",
          columns: [
            { title: "runs" },
            { title: "number", digits: 0 },
            { title: "alarms", digits: 0 },
            { title: "per 10,000", digits: 2 },
          ],
          rows: [
            ["the first of a feature: polling tools are not known yet", known, first, (1e4 * first) / known],
            ["after that", runs, later, (1e4 * later) / runs],
            [
              "real coding sessions, equal length taken for equal arguments",
              sessions.length,
              sessionAlarms,
              (1e4 * sessionAlarms) / sessions.length,
            ],
          ],
          notes: [],
        },
      ],
      plots: [],
    };
  },
};
