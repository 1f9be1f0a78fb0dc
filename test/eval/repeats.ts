/** L8: a real hour of conversations that tells equal prompts apart, into which repeats are put, and what must not look like them. */

import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { Detector, Observation } from "../../detectors/detector.ts";
import { duplicatePrompts } from "../../detectors/duplicate-prompts.ts";
import { observation, usageRecord } from "../../detectors/observation-samples.ts";
import type { UsageRecord } from "../../src/model/usage-record.ts";
import type { Evaluation } from "./eval.ts";
import { type Random, randomOf } from "./random.ts";

const detector = duplicatePrompts as Detector;
const context = { alarmAt: 1e7, settings: detector.settings, parent: null };
const startMs = Date.UTC(2026, 0, 5, 9);
const hourMs = 3_600_000;
/** Nano-dollars a token. */
const rates = { input: 2500, output: 10_000 };
const sizes = { quick: 5, usual: 40, large: 200 };

interface Call {
  /** Milliseconds from the beginning of the trace to the call's own. */
  readonly atMs: number;
  readonly prompt: string;
  readonly input: number;
  readonly output: number;
  /** Put in: what the detector is to find. */
  readonly isRepeat?: boolean;
  readonly failed?: boolean;
  readonly is?: Partial<UsageRecord>;
}

interface Scenario {
  readonly name: string;
  /** Calls that come on top of the real ones. */
  readonly added: (real: readonly Call[], random: Random) => readonly Call[];
}

/** `count` calls from a third of the hour on, evenly but for a second or so. */
function evenly(count: number, random: Random): readonly number[] {
  const fromMs = hourMs / 3;
  return Array.from(
    { length: count },
    (_, index) => fromMs + ((hourMs - fromMs) * index) / count + 1000 * random.next(),
  );
}

/** Some prompts of the trace, asked in turn, so that they are so large a share of the calls from then on. */
function inTurn(prompts: number, share: number): Scenario["added"] {
  return (real, random) => {
    const asked = Array.from({ length: prompts }, (_, index) => ({ ...random.pick(real), prompt: `again ${index}` }));
    const calls = Math.round(((2 / 3) * real.length * share) / (1 - share));
    return evenly(calls, random).map((atMs, index) => ({
      ...(asked[index % prompts] as Call),
      atMs,
      isRepeat: index >= prompts,
    }));
  };
}

const scenarios: readonly Scenario[] = [
  { name: "one prompt again and again, 10 % of calls", added: inTurn(1, 0.1) },
  { name: "one prompt again and again, 25 %", added: inTurn(1, 0.25) },
  { name: "20 prompts in turn, 25 %", added: inTurn(20, 0.25) },
  { name: "20 prompts in turn, 50 %", added: inTurn(20, 0.5) },
  { name: "400 prompts in turn, 50 %", added: inTurn(400, 0.5) },
];

const decoys: readonly Scenario[] = [
  { name: "nothing: the real hour", added: () => [] },
  {
    name: "every request fails three times before it is answered",
    added: (real) =>
      real.flatMap((call) =>
        [9000, 6000, 3000].map((beforeMs) => ({ ...call, atMs: call.atMs - beforeMs, output: 0, failed: true })),
      ),
  },
  {
    name: "five samples of every prompt, side by side",
    added: (real) => real.flatMap((call) => [5, 10, 15, 20].map((afterMs) => ({ ...call, atMs: call.atMs + afterMs }))),
  },
  {
    name: "a health check of 60 tokens every five seconds",
    added: (_, random) => evenly(480, random).map((atMs) => ({ atMs, prompt: "health", input: 50, output: 10 })),
  },
  {
    name: "an index made anew in batches, every text twice",
    added: (real, random) =>
      evenly(4000, random).map((atMs, index) => ({
        ...(real[index % 2000] as Call),
        prompt: `text ${index % 2000}`,
        atMs,
        is: { operation: "embeddings", serviceTier: "batch" },
      })),
  },
];

export const repeatsEvaluation: Evaluation = {
  name: "repeats",
  summary:
    "prompts that are paid for again, put into a real hour: delay, dollars until told, and what must not be told",
  async run({ size, progress }) {
    const real = realHour();
    const runs = sizes[size];
    const all = [...scenarios, ...decoys];
    const told = all.map((scenario, index) => {
      const results = Array.from({ length: runs }, (_, seed) => judged(real, scenario, randomOf(1000 * index + seed)));
      progress((index + 1) / all.length, scenario.name);
      return results;
    });
    const middle = (values: readonly number[]) =>
      values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? null;
    const rows = scenarios.map(({ name }, index) => {
      const found = (told[index] ?? []).filter(({ atMs }) => atMs !== null);
      return [
        name,
        found.length / runs,
        middle(found.map(({ atMs }) => ((atMs ?? 0) - hourMs / 3) / 60_000)),
        middle(found.map(({ usdUntil }) => usdUntil)),
        middle((told[index] ?? []).map(({ countedShare }) => countedShare)),
      ];
    });
    const memo = memoOf(real.map(seenOf));
    return {
      tables: [
        {
          title: `Repeats put into a real hour from its 20th minute on, ${runs} runs each`,
          columns: [
            { title: "what is asked" },
            { title: "told", digits: 2 },
            { title: "after minutes", digits: 1 },
            { title: "dollars until then", digits: 2 },
            { title: "counted of what a memo would spare", digits: 3 },
          ],
          rows,
          notes: [
            `The hour is Mooncake's conversation trace (${real.length.toLocaleString("en-US")} calls, priced as gpt-4o), in which ${memo.repeats} calls, ${(100 * memo.share).toFixed(1)} % of its spend, ask what was answered within the hour before. Medians; one feature. What is not told is less than a twentieth of the spend: short prompts.`,
          ],
        },
        {
          title: "What must not be told",
          columns: [{ title: "what happens" }, { title: "alarms", digits: 0 }, { title: "runs", digits: 0 }],
          rows: decoys.map(({ name }, index) => [
            name,
            (told[scenarios.length + index] ?? []).filter(({ atMs }) => atMs !== null).length,
            runs,
          ]),
          notes: [],
        },
      ],
      plots: [],
    };
  },
};

interface Judged {
  /** When it was told, from the beginning of the trace; null where it was not. */
  readonly atMs: number | null;
  /** Dollars of repeats put in until then. */
  readonly usdUntil: number;
  /** What the detector counted at the end, over what an unlimited memo would have spared. */
  readonly countedShare: number;
}

function judged(real: readonly Call[], { added }: Scenario, random: Random): Judged {
  const calls = [...real, ...added(real, random)].sort((a, b) => endOf(a) - endOf(b));
  const seen = calls.map(seenOf);
  const state = duplicatePrompts.newState();
  let usdUntil = 0;
  let atMs: number | null = null;
  for (const [index, each] of seen.entries()) {
    const verdicts = detector.observe(state, each, context);
    if (atMs === null && calls[index]?.isRepeat) usdUntil += (each.nanoUsd ?? 0) / 1e9;
    if (atMs === null && verdicts.some(({ status }) => status === "firing")) atMs = each.atMs - startMs;
  }
  const { spared } = memoOf(seen);
  return { atMs, usdUntil, countedShare: spared === 0 ? 1 : state.hour.spared / spared };
}

/** The answer to a memo without bounds: an oracle of its own. */
function memoOf(seen: readonly Observation[]): {
  readonly spared: number;
  readonly repeats: number;
  readonly share: number;
} {
  const answeredMs = new Map<string, number>();
  let [spared, repeats, spend] = [0, 0, 0];
  for (const { record, failed, atMs, durationMs, nanoUsd } of seen) {
    spend += nanoUsd ?? 0;
    if (failed || record.serviceTier === "batch") continue;
    const answered = answeredMs.get(record.promptHash);
    if (answered !== undefined && answered <= atMs - durationMs && atMs - durationMs < answered + hourMs) {
      spared += nanoUsd ?? 0;
      repeats++;
    } else if (answered === undefined || atMs - durationMs >= answered + hourMs)
      answeredMs.set(record.promptHash, atMs);
  }
  return { spared, repeats, share: spared / spend };
}

/** As `call-streams.ts` has it: 20 ms a token. */
function endOf({ atMs, output }: Call): number {
  return atMs + durationOf(output);
}

function durationOf(output: number): number {
  return 800 + 20 * output;
}

function seenOf({ prompt, input, output, failed = false, is, ...call }: Call, index: number): Observation {
  const atMs = startMs + endOf({ ...call, prompt, input, output });
  const record = usageRecord(
    { promptHash: hash("sha256", prompt).slice(0, 16), status: failed ? "error" : "ok", ...is },
    index + 1,
  );
  const nanoUsd = failed ? 0 : input * rates.input + output * rates.output;
  return observation({ atMs, durationMs: durationOf(output), failed, inputTokens: input, nanoUsd, record }, index);
}

function realHour(): readonly Call[] {
  const bytes = readFileSync(new URL("data/mooncake_conversation.csv.gz", import.meta.url));
  const [, ...lines] = gunzipSync(bytes).toString().trimEnd().split("\n");
  return lines.map((line) => {
    const [atMs = 0, prompt = 0, input = 0, output = 0] = line.split(",").map(Number);
    return { atMs, prompt: `real ${prompt}`, input, output };
  });
}
