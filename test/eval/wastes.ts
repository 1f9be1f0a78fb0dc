/** L2 to L10: how many calls each waits before it says what has gone wrong, and how often it says so when nothing has. */

import { cacheCollapse } from "../../detectors/cache-collapse.ts";
import type { Detector } from "../../detectors/detector.ts";
import { modelMix } from "../../detectors/model-mix.ts";
import { promptRegression } from "../../detectors/prompt-regression.ts";
import { reasoningExplosion } from "../../detectors/reasoning-explosion.ts";
import { retryStorm } from "../../detectors/retry-storm.ts";
import { silentFallback } from "../../detectors/silent-fallback.ts";
import { stuckStream } from "../../detectors/stuck-stream.ts";
import { truncation } from "../../detectors/truncation.ts";
import { readTrace } from "../../src/replay/read-trace.ts";
import { type DrawnCall, recordsOf, usualCall } from "./call-streams.ts";
import type { Evaluation } from "./eval.ts";
import { type Random, randomOf } from "./random.ts";

interface Waste {
  readonly name: string;
  readonly detector: Detector;
  /** What becomes of a call from the onset on. */
  readonly wrong: (call: DrawnCall, random: Random) => DrawnCall;
}

const attempts = (count: number) => (call: DrawnCall) => ({ ...call, failedAttempts: count - 1 });
const keepCached = (share: number) => (call: DrawnCall, random: Random) => ({
  ...call,
  cached: random.next() < share ? call.cached : 0,
});
const answeredByO1 = (share: number) => (call: DrawnCall, random: Random) => ({
  ...call,
  model: random.next() < share ? "o1" : call.model,
});
const cutOff = (share: number) => (call: DrawnCall, random: Random) => ({ ...call, truncated: random.next() < share });
const thinks = (factor: number) => (call: DrawnCall) => {
  const reasoning = Math.round(call.reasoning * factor);
  return { ...call, reasoning, output: call.output - call.reasoning + reasoning };
};
const stuck = (share: number) => (call: DrawnCall, random: Random) =>
  random.next() < share ? { ...call, output: 0, reasoning: 0, durationMs: 120_000 } : call;
const longerPrompt = (factor: number) => (call: DrawnCall) => ({
  ...call,
  promptVersion: "8",
  input: Math.round(call.input * factor),
});

/** The severities of DETECTORS section 7. Usually 0.56 of the input is cached: three calls of four hit. */
const wastes: readonly Waste[] = [
  { name: "retries, 2 attempts a request", detector: retryStorm as Detector, wrong: attempts(2) },
  { name: "retries, 5 attempts a request", detector: retryStorm as Detector, wrong: attempts(5) },
  { name: "cache hits .75 to .43", detector: cacheCollapse as Detector, wrong: keepCached(0.57) },
  { name: "cache hits .75 to .11", detector: cacheCollapse as Detector, wrong: keepCached(0.15) },
  { name: "silent fallback, 5 %", detector: silentFallback as Detector, wrong: answeredByO1(0.05) },
  { name: "silent fallback, 20 %", detector: silentFallback as Detector, wrong: answeredByO1(0.2) },
  { name: "silent fallback, 50 %", detector: silentFallback as Detector, wrong: answeredByO1(0.5) },
  { name: "dearer model, 20 %", detector: modelMix as Detector, wrong: answeredByO1(0.2) },
  { name: "reasoning x1.5", detector: reasoningExplosion as Detector, wrong: thinks(1.5) },
  { name: "reasoning x3", detector: reasoningExplosion as Detector, wrong: thinks(3) },
  { name: "cut off, 1 % to 10 %", detector: truncation as Detector, wrong: cutOff(0.1) },
  { name: "cut off, 1 % to 30 %", detector: truncation as Detector, wrong: cutOff(0.3) },
  { name: "stuck, 0 to 5 %", detector: stuckStream as Detector, wrong: stuck(0.05) },
  { name: "prompt 15 % longer", detector: promptRegression as Detector, wrong: longerPrompt(1.15) },
  { name: "prompt 50 % longer", detector: promptRegression as Detector, wrong: longerPrompt(1.5) },
];

export const alarmAt = 1e7;
const callsAfter = 1500;
const warmUp = 1000;
const sizes = {
  quick: { seeds: 10, nullCalls: 20_000 },
  usual: { seeds: 60, nullCalls: 400_000 },
  large: { seeds: 200, nullCalls: 4_000_000 },
};

export const wastesEvaluation: Evaluation = {
  name: "wastes",
  summary: "retries, caches, fallbacks, reasoning, truncation, prompts: delay in calls, and false alarms",
  async run({ size, progress }) {
    const { calls } = await readTrace({
      file: new URL("../../src/replay/data/AzureLLMInferenceTrace_conv.csv.gz", import.meta.url).pathname,
    });
    const lengths = calls.map((call) => ({ input: call.inputTokens ?? 0, output: call.outputTokens ?? 0 }));
    const { seeds, nullCalls } = sizes[size];
    const rows = wastes.map((waste, index) => {
      const delays = Array.from({ length: seeds }, (_, seed) => delayOf(waste, lengths, randomOf(seed)));
      const found = delays.filter((delay) => delay !== null).sort((a, b) => a - b);
      progress((index + 1) / (wastes.length + 1), waste.name);
      const at = (share: number) => found[Math.floor(share * (found.length - 1))] ?? null;
      return [waste.detector.id, waste.name, at(0.5), at(0.95), found.filter((delay) => delay <= 500).length / seeds];
    });
    const detectors = [...new Set(wastes.map(({ detector }) => detector))];
    const nullRows = detectors.map((detector) => [
      detector.id,
      detector.name,
      falseAlarms(detector, lengths, nullCalls),
    ]);
    return {
      tables: [
        {
          title: `Calls from the onset to the alarm, at one false alarm in ${alarmAt.toExponential(0)} calls; ${seeds} runs each`,
          columns: [
            { title: "" },
            { title: "what goes wrong" },
            { title: "median", digits: 0 },
            { title: "95 %", digits: 0 },
            { title: "found in 500", digits: 2 },
          ],
          rows,
          notes: [
            "Lengths are drawn from the real conversation trace; what goes wrong is drawn by a seed, after 1,000 usual calls.",
          ],
        },
        {
          title: `False alarms in ${nullCalls.toLocaleString("en-US")} usual calls`,
          columns: [{ title: "" }, { title: "detector" }, { title: "alarms", digits: 0 }],
          rows: nullRows,
          notes: [],
        },
      ],
      plots: [],
    };
  },
};

type Lengths = readonly { readonly input: number; readonly output: number }[];

/** Calls after the onset up to the first alarm; null when none came, or one came before. */
export function delayOf({ detector, wrong }: Waste, lengths: Lengths, random: Random): number | null {
  const state = detector.newState();
  const context = { alarmAt, settings: detector.settings, parent: null };
  for (let index = 0; index < warmUp + callsAfter; index++) {
    const usual = usualCall(random.pick(lengths), random);
    const call = index < warmUp ? usual : wrong(usual, random);
    for (const seen of recordsOf(call, index, random)) {
      if (detector.observe(state, seen, context).some(({ status }) => status === "firing")) {
        return index < warmUp ? null : index - warmUp + 1;
      }
    }
  }
  return null;
}

function falseAlarms(detector: Detector, lengths: Lengths, calls: number): number {
  const random = randomOf(77);
  const state = detector.newState();
  const context = { alarmAt, settings: detector.settings, parent: null };
  let alarms = 0;
  for (let index = 0; index < calls; index++) {
    for (const seen of recordsOf(usualCall(random.pick(lengths), random), index, random)) {
      alarms += detector.observe(state, seen, context).filter(({ status }) => status === "firing").length;
    }
  }
  return alarms;
}
