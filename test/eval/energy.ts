/** L11: energy per token of a machine over days, which from a known minute on is worse; power is made up, the load is real. */

import type { Detector } from "../../detectors/detector.ts";
import { energy } from "../../detectors/energy.ts";
import { observation, usageRecord } from "../../detectors/observation-samples.ts";
import { readTrace } from "../../src/replay/read-trace.ts";
import type { Evaluation } from "./eval.ts";
import { type Random, randomOf } from "./random.ts";
import { traceFile } from "./samples.ts";

const detector = energy as Detector;
const context = { alarmAt: 1e7, settings: detector.settings, parent: null };
const startMs = Date.UTC(2026, 0, 5);
const minuteMs = 60_000;
const dayMinutes = 1440;
const knownDays = 3;
const sizes = { quick: { runs: 10, weeks: 4 }, usual: { runs: 100, weeks: 52 }, large: { runs: 400, weeks: 400 } };

/**
 * A machine of eight GPUs: idle power, joules a token that fall with the load since batches grow, and a wander of 3 % that
 * lasts some minutes. The numbers are ours; what a real machine adds is not in them.
 */
function wattsOf(tokensPerSecond: number, wander: number): number {
  return (900 + 1.6 * tokensPerSecond ** 0.9) * Math.exp(0.03 * wander);
}

/** Verdicts by minute over a stretch of a machine's life. */
function* life(minutes: number, worseAt: (minute: number) => number, loads: readonly number[], random: Random) {
  const state = detector.newState();
  let wander = 0;
  for (let minute = 0; minute < minutes; minute++) {
    const day = 0.6 + 0.4 * Math.sin((2 * Math.PI * minute) / dayMinutes);
    const tokens = random.pick(loads) * day;
    wander = 0.8 * wander + 0.6 * random.normal();
    const joules = wattsOf(tokens / 60, wander) * 60 * worseAt(minute);
    const [fromMs, nowMs] = [startMs + minute * minuteMs, startMs + (minute + 1) * minuteMs];
    const reading = { instance: "gpu-1", fromUs: fromMs * 1000, toUs: nowMs * 1000, joules };
    const values = { atMs: nowMs - 1, arrivedAtMs: nowMs, inputTokens: tokens * 0.8, outputTokens: tokens * 0.2 };
    const seen = observation({ ...values, record: usageRecord({ instance: "gpu-1" }, minute + 1) }, minute);
    for (const verdict of detector.observe(state, seen, context)) yield { minute, verdict };
    for (const verdict of detector.measure?.(state, reading, nowMs, context) ?? []) yield { minute, verdict };
  }
}

/** Tokens of each minute of the recorded conversations. */
async function minutesOfTrace(): Promise<readonly number[]> {
  const { calls } = await readTrace({ file: traceFile("conv") });
  const first = calls[0]?.endUs ?? 0;
  const byMinute = new Map<number, number>();
  for (const { endUs, inputTokens = 0, outputTokens = 0 } of calls) {
    const minute = Math.floor((endUs - first) / 60e6);
    byMinute.set(minute, (byMinute.get(minute) ?? 0) + inputTokens + outputTokens);
  }
  return [...byMinute.values()];
}

export const energyEvaluation: Evaluation = {
  name: "energy",
  summary:
    "tokens per joule of a machine with a real load and made-up power: minutes until told, and false alarms a week",
  async run({ size, progress }) {
    const loads = await minutesOfTrace();
    const { runs, weeks } = sizes[size];
    const factors = [1.1, 1.2, 1.3, 1.5, 2];
    const rows = factors.map((factor, index) => {
      const delays = Array.from({ length: runs }, (_, seed) => {
        const random = randomOf(seed);
        const onset = knownDays * dayMinutes + random.below(dayMinutes);
        for (const { minute, verdict } of life(onset + dayMinutes, (at) => (at < onset ? 1 : factor), loads, random)) {
          if (verdict.status === "firing") return minute < onset ? null : minute - onset + 1;
        }
        return null;
      });
      progress((index + 1) / (factors.length + 1), `x${factor}`);
      const found = delays.filter((delay) => delay !== null).sort((a, b) => a - b);
      const at = (share: number) => found[Math.floor(share * (found.length - 1))] ?? null;
      return [`x${factor}`, found.length / runs, at(0.5), at(0.95)];
    });
    let alarms = 0;
    const random = randomOf(99);
    for (const { verdict } of life(weeks * 7 * dayMinutes, () => 1, loads, random))
      if (verdict.status === "firing") alarms++;
    return {
      tables: [
        {
          title: `Energy per token rises after three usual days, ${runs} runs each`,
          columns: [
            { title: "joules a token" },
            { title: "told within a day", digits: 2 },
            { title: "median minutes", digits: 0 },
            { title: "95 %", digits: 0 },
          ],
          rows,
          notes: [
            "Tokens a minute are drawn from the real conversation trace, with a day's wave; power is made up: idle draw, less for each token at higher load, and a wander of 3 % that lasts some minutes.",
          ],
        },
        {
          title: "False alarms of one machine",
          columns: [
            { title: "weeks", digits: 0 },
            { title: "alarms", digits: 0 },
            { title: "per week", digits: 3 },
          ],
          rows: [[weeks, alarms, alarms / weeks]],
          notes: [],
        },
      ],
      plots: [],
    };
  },
};
