/** L1: an agent run goes in circles: it asks the same of the same tools again and again, alone or in turn. */

import { calm, type Detector, type Observation, type Verdict } from "./detector.ts";
import { addExemplar } from "./exemplars.ts";
import {
  addStep,
  newRates,
  newRepeats,
  type RepeatRates,
  type RepeatState,
  type Repeats,
  type Step,
} from "./repeats.ts";

type RunawaySettings = {
  /** One false alarm in so many steps. */
  readonly evidenceMin: number;
  /** Dollars of the repeated calls that are worth a word. */
  readonly repeatedUsdMin: number;
  /** A run that says nothing for so long is over. */
  readonly silenceMinutesMax: number;
  /** Matches in a row, at most, that teach the tool's habits. */
  readonly taughtPerRow: number;
};

interface Loop {
  onsetMs: number;
  readonly evidence: number;
  readonly period: number;
  calls: number;
  nanoUsd: number;
  toldNanoUsd: number;
  /** Steps in a row that broke the circle. */
  broken: number;
}

/** Of a feature: its tools' habits. Of a run: its steps. A state serves as either, by its scope. */
interface RunState {
  /** By tool, at most `toolsMax`. */
  readonly tools: Map<string, RepeatRates>;
  /** Null before the first step, and of a feature. */
  repeats: RepeatState | null;
  /** Whether billed calls name the tools they ask for; then executions of tools would say everything twice. */
  asks: boolean;
  lastMs: number;
  /** Billed calls since the circle began that no alarm has told yet: when, how many, what for, input of the first. */
  circle: { onsetMs: number; calls: number; nanoUsd: number; firstInput: number; lastInput: number };
  readonly traceIds: string[];
  loop: Loop | null;
}

const toolsMax = 64;
const toolNameMax = 64;
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
/** A circle is broken when so many steps in a row do not repeat, one more than the longest period. */
const brokenSteps = 5;
/** A loop is told again when it has grown by so much, some eighty times in all: only then do its dollars explain its feature's. */
const tellAgainFactor = 1.15;

export const runawayRun: Detector<RunState, RunawaySettings> = {
  id: "L1",
  name: "runaway-run",
  summary: "an agent run repeats the same tool calls, alone or in a cycle of up to four",
  method:
    "E-process per run over matches with the step 1 to 4 before, against how often each tool of the feature repeats itself; tools that poll excuse themselves. At most one false alarm in evidence_min steps.",
  kinds: ["runaway_run"],
  scopes: ["feature", "run"],
  mode: "page",
  settings: { evidenceMin: 2e5, repeatedUsdMin: 0.01, silenceMinutesMax: 15, taughtPerRow: 10 },
  stateBytesMax: 16_384,
  newState: () => ({
    tools: new Map(),
    repeats: null,
    asks: false,
    lastMs: 0,
    circle: newCircle(),
    traceIds: [],
    loop: null,
  }),
  begins: ({ record }) => record.run !== "",
  observe(state, observation, { settings, parent }) {
    // The feature's own state only holds what its runs teach it.
    if (observation.record.run === "" || parent === null) return calm;
    const step = stepOf(state, observation);
    pay(state, observation, step !== null);
    if (step === null) return calm;
    const { tools } = parent as RunState;
    const habits = { ratesOf: (tool: string) => ratesOf(tools, tool), taughtMax: settings.taughtPerRow };
    state.repeats ??= newRepeats();
    const repeats = addStep(state.repeats, step, habits);
    return state.loop === null
      ? begin(state, repeats, observation, settings)
      : follow(state, state.loop, repeats, observation);
  },
  tick(state, nowMs, { settings }) {
    if (state.loop === null || nowMs - state.lastMs < settings.silenceMinutesMax * minuteMs) return calm;
    return [end(state, state.loop, nowMs)];
  },
  acknowledge(state) {
    Object.assign(state, { repeats: null, circle: newCircle(), loop: null });
    state.traceIds.length = 0;
  },
};

function newCircle(): RunState["circle"] {
  return { onsetMs: 0, calls: 0, nanoUsd: 0, firstInput: 0, lastInput: 0 };
}

/** What the run did, if it asked something of a tool: a failed call is another detector's. */
function stepOf(state: RunState, { record, calls, failed }: Observation): Step | null {
  if (record.toolArgsHash === "" || failed || calls === -1) return null;
  if (calls === 1) state.asks = true;
  else if (state.asks) return null;
  return { tool: record.tool.slice(0, toolNameMax), hash: hashOf(`${record.tool}\n${record.toolArgsHash}`) };
}

function pay(state: RunState, observation: Observation, isStep: boolean): void {
  const { circle, loop } = state;
  state.lastMs = Math.max(state.lastMs, observation.arrivedAtMs);
  const nanoUsd = observation.nanoUsd ?? 0;
  if (loop !== null) {
    loop.nanoUsd += nanoUsd;
    if (isStep) loop.calls++;
  }
  if (circle.calls === 0) Object.assign(circle, { onsetMs: observation.atMs, firstInput: observation.inputTokens });
  circle.nanoUsd += nanoUsd;
  if (isStep) circle.calls++;
  if (observation.inputTokens > 0) circle.lastInput = observation.inputTokens;
}

function begin(
  state: RunState,
  repeats: Repeats,
  observation: Observation,
  settings: RunawaySettings,
): readonly Verdict[] {
  const { circle } = state;
  if (repeats.streak === 0) {
    Object.assign(circle, newCircle());
    state.traceIds.length = 0;
    return calm;
  }
  addExemplar(state.traceIds, observation.record.traceId);
  if (repeats.evidence < settings.evidenceMin || circle.nanoUsd < settings.repeatedUsdMin * 1e9) return calm;
  state.loop = {
    onsetMs: Math.min(circle.onsetMs, observation.atMs),
    evidence: repeats.evidence,
    period: repeats.period,
    calls: repeats.streak,
    nanoUsd: circle.nanoUsd,
    toldNanoUsd: circle.nanoUsd,
    broken: 0,
  };
  return [claim(state, state.loop, "firing", observation.atMs)];
}

function follow(state: RunState, loop: Loop, repeats: Repeats, observation: Observation): readonly Verdict[] {
  addExemplar(state.traceIds, observation.record.traceId);
  loop.broken = repeats.streak === 0 ? loop.broken + 1 : 0;
  if (loop.broken >= brokenSteps) return [end(state, loop, observation.atMs)];
  if (loop.nanoUsd === 0 || loop.nanoUsd < tellAgainFactor * loop.toldNanoUsd) return calm;
  loop.toldNanoUsd = loop.nanoUsd;
  return [claim(state, loop, "firing", observation.atMs)];
}

function end(state: RunState, loop: Loop, atMs: number): Verdict {
  const verdict = claim(state, loop, "resolved", atMs);
  Object.assign(state, { repeats: null, circle: newCircle(), loop: null });
  state.traceIds.length = 0;
  return verdict;
}

function claim(state: RunState, loop: Loop, status: Verdict["status"], atMs: number): Verdict {
  const { firstInput, lastInput } = state.circle;
  const nowMs = Math.max(atMs, loop.onsetMs);
  const lastedMs = Math.max(minuteMs, nowMs - loop.onsetMs);
  const what = loop.period === 1 ? "the same tool call" : `a cycle of ${loop.period} tool calls`;
  const grows = lastInput > 1.2 * firstInput ? ", and its context grows" : "";
  return {
    kind: "runaway_run",
    status,
    atMs: Math.round(nowMs),
    onsetMs: Math.round(loop.onsetMs),
    unit: "calls",
    observed: loop.calls,
    expected: 1,
    direction: "up",
    effect: `the run repeats ${what}${grows}`,
    confidence: loop.evidence / (loop.evidence + 1e4),
    impactNanoUsd: Math.round(loop.nanoUsd),
    impactNanoUsdPerHour: Math.round((loop.nanoUsd * hourMs) / lastedMs),
    traceIds: [...state.traceIds],
    evidence: {
      evidence: Number(Math.min(loop.evidence, 1e15).toPrecision(3)),
      period: loop.period,
      first_input_tokens: firstInput,
      last_input_tokens: lastInput,
    },
  };
}

function ratesOf(tools: Map<string, RepeatRates>, name: string): RepeatRates {
  // Tools beyond the limit share one entry.
  const tool = tools.has(name) || tools.size < toolsMax ? name : "";
  const known = tools.get(tool);
  if (known !== undefined) return known;
  const rates = newRates();
  tools.set(tool, rates);
  return rates;
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
