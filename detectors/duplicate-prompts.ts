/** L8: the same whole prompt is paid for again and again, where one answer would have done. */

import { type AnsweredPrompts, forgetPrompts, newAnsweredPrompts, wasAnswered } from "./answered-prompts.ts";
import { calm, type Detector, type Observation, type Verdict } from "./detector.ts";
import { addExemplar } from "./exemplars.ts";

type DuplicateSettings = {
  /** Minutes for which an answer is taken to be good. */
  readonly answerMinutes: number;
  /** Of the last hour: repeats, their share of the spend, and dollars. */
  readonly repeatsMin: number;
  readonly shareMin: number;
  readonly usdPerHourMin: number;
};

/** Sums of a stretch of time. */
interface Sums {
  calls: number;
  repeats: number;
  /** Nano-dollars of all calls, and of those that a memo would have spared. */
  spend: number;
  spared: number;
}

interface DuplicateState {
  readonly prompts: AnsweredPrompts;
  /** Five minutes of event time each, four sums each, in turn; `newest` is the number of the last one since 1970. */
  readonly slots: Float64Array;
  newest: number;
  /** Of all slots. */
  readonly hour: Sums;
  /** Unix milliseconds of the log's clock when the last repeat came. */
  repeatedMs: number;
  /** Nano-dollars an hour that somebody called normal. */
  accepted: number;
  readonly traceIds: string[];
  firing: { readonly onsetMs: number; spared: number; told: number; toldMs: number } | null;
}

const hourMs = 3_600_000;
const slotMs = 300_000;
const slotsKept = hourMs / slotMs;
const sumsPerSlot = 4;
const minuteMs = 60_000;
/** An hour that is over half of what fired goes on firing. */
const calmShare = 0.5;
/** What was called normal fires again at twice as much. */
const acceptedFactor = 2;
const growthToTell = 2;

export const duplicatePrompts: Detector<DuplicateState, DuplicateSettings> = {
  id: "L8",
  name: "duplicate-prompts",
  summary: "prompts that were answered before are paid for again",
  method:
    "Dollars of the last hour that a memo of answers would have spared: calls whose whole prompt, model and settings (by a keyed hash) were answered well within the hour before. Arithmetic, no bet. Not counted: what follows a failure or a cut-off answer (L2, L7), samples drawn side by side, batches, calls without a hash.",
  kinds: ["duplicate_prompts"],
  scopes: ["feature"],
  mode: "ticket",
  settings: { answerMinutes: 60, repeatsMin: 20, shareMin: 0.05, usdPerHourMin: 0.5 },
  stateBytesMax: 34_816,
  newState: () => ({
    prompts: newAnsweredPrompts(),
    slots: new Float64Array(slotsKept * sumsPerSlot),
    newest: 0,
    hour: { calls: 0, repeats: 0, spend: 0, spared: 0 },
    repeatedMs: 0,
    accepted: 0,
    traceIds: [],
    firing: null,
  }),
  begins: ({ record }) => record.promptHash !== "",
  observe(state, seen, { settings }) {
    if (seen.calls !== 1) return calm;
    const slot = Math.floor(seen.atMs / slotMs);
    if (slot > state.newest) advance(state, slot);
    else if (slot <= state.newest - slotsKept) return calm;
    const nanoUsd = seen.nanoUsd ?? 0;
    const isRepeat = repeats(state.prompts, seen, settings.answerMinutes * minuteMs);
    add(state, slot, { calls: 1, repeats: isRepeat ? 1 : 0, spend: nanoUsd, spared: isRepeat ? nanoUsd : 0 });
    if (isRepeat) {
      state.repeatedMs = seen.arrivedAtMs;
      addExemplar(state.traceIds, seen.record.traceId);
      if (state.firing !== null) state.firing.spared += nanoUsd;
    }
    return judge(state, seen.atMs, settings);
  },
  tick(state, nowMs) {
    if (nowMs - state.repeatedMs < hourMs) return calm;
    forgetPrompts(state.prompts);
    return end(state, nowMs);
  },
  acknowledge(state) {
    state.accepted = state.hour.spared;
    state.firing = null;
  },
};

/** Whether a memo would have had the answer of this call. */
function repeats(
  prompts: AnsweredPrompts,
  { record, atMs, durationMs, failed, truncated }: Observation,
  keepMs: number,
) {
  const { promptHash: hash, flags } = record;
  // A batch is bought at half price for work that is done anew on purpose; a failed call has nothing to give again.
  if (hash === "" || failed || record.serviceTier === "batch") return false;
  const answered = !truncated && !flags.includes("answer_cut_off");
  const known = wasAnswered(prompts, { hash, startMs: atMs - durationMs, endMs: atMs, answered }, keepMs);
  return known && !flags.includes("repeated_attempt");
}

/** Empties the slots between the newest and this one. */
function advance(state: DuplicateState, slot: number): void {
  const { slots, hour } = state;
  const first = Math.max(state.newest + 1, slot - slotsKept + 1);
  for (let passed = first; passed <= slot; passed++) {
    const at = (passed % slotsKept) * sumsPerSlot;
    slots.fill(0, at, at + sumsPerSlot);
  }
  state.newest = slot;
  // Summed anew, so that no rounding is carried on.
  Object.assign(hour, { calls: 0, repeats: 0, spend: 0, spared: 0 });
  for (let at = 0; at < slots.length; at += sumsPerSlot) {
    hour.calls += slots[at] ?? 0;
    hour.repeats += slots[at + 1] ?? 0;
    hour.spend += slots[at + 2] ?? 0;
    hour.spared += slots[at + 3] ?? 0;
  }
}

function add({ slots, hour }: DuplicateState, slot: number, sums: Sums): void {
  const at = (slot % slotsKept) * sumsPerSlot;
  slots[at] = (slots[at] ?? 0) + sums.calls;
  slots[at + 1] = (slots[at + 1] ?? 0) + sums.repeats;
  slots[at + 2] = (slots[at + 2] ?? 0) + sums.spend;
  slots[at + 3] = (slots[at + 3] ?? 0) + sums.spared;
  hour.calls += sums.calls;
  hour.repeats += sums.repeats;
  hour.spend += sums.spend;
  hour.spared += sums.spared;
}

function judge(state: DuplicateState, atMs: number, settings: DuplicateSettings): readonly Verdict[] {
  const { hour, firing } = state;
  const share = hour.spend > 0 ? hour.spared / hour.spend : 0;
  const least = Math.max(settings.usdPerHourMin * 1e9, acceptedFactor * state.accepted);
  if (firing === null) {
    if (hour.repeats < settings.repeatsMin || share < settings.shareMin || hour.spared < least) return calm;
    state.firing = { onsetMs: onsetOf(state, atMs), spared: hour.spared, told: hour.spared, toldMs: atMs };
    return [claim(state, state.firing, "firing", atMs)];
  }
  if (hour.spared < calmShare * least || share < calmShare * settings.shareMin) return end(state, atMs);
  if (firing.spared < growthToTell * firing.told || atMs - firing.toldMs < minuteMs) return calm;
  Object.assign(firing, { told: firing.spared, toldMs: atMs });
  return [claim(state, firing, "firing", atMs)];
}

function end(state: DuplicateState, atMs: number): readonly Verdict[] {
  const { firing } = state;
  if (firing === null) return calm;
  state.firing = null;
  return [claim(state, firing, "resolved", atMs)];
}

/** The beginning of the first slot that has a repeat. */
function onsetOf({ slots, newest }: DuplicateState, atMs: number): number {
  for (let slot = newest - slotsKept + 1; slot <= newest; slot++) {
    if ((slots[(slot % slotsKept) * sumsPerSlot + 1] ?? 0) > 0) return Math.min(slot * slotMs, atMs);
  }
  return atMs;
}

function claim(
  { hour, traceIds }: DuplicateState,
  { onsetMs, spared }: NonNullable<DuplicateState["firing"]>,
  status: Verdict["status"],
  atMs: number,
): Verdict {
  const share = hour.spend > 0 ? hour.spared / hour.spend : 0;
  const nowMs = Math.max(atMs, onsetMs);
  return {
    kind: "duplicate_prompts",
    status,
    atMs: Math.round(nowMs),
    onsetMs: Math.round(onsetMs),
    unit: "share",
    observed: Math.round(share * 10_000) / 10_000,
    expected: 0,
    direction: "up",
    effect: `${(100 * share).toFixed(0)} % of spend pays again for prompts that were answered before: ${hour.repeats} of ${hour.calls} calls`,
    confidence: 0.999,
    impactNanoUsd: Math.round(spared),
    impactNanoUsdPerHour: Math.round((spared * hourMs) / Math.max(minuteMs, nowMs - onsetMs)),
    traceIds: [...traceIds],
    evidence: {
      calls: hour.calls,
      repeats: hour.repeats,
      spend_nano_usd: Math.round(hour.spend),
      spared_nano_usd: Math.round(hour.spared),
    },
  };
}
