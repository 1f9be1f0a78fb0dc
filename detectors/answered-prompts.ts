/**
 * Which prompts were answered lately, by their hashes: a memo without its answers. Eight bytes a prompt; it begins with
 * 64 places and grows while live prompts push each other out, to 4,096 at most, where the oldest of four makes room.
 */

/** Typed arrays of equal length, a power of two. Four neighbours are the places of one group of hashes. */
export interface AnsweredPrompts {
  /** 32 bits of the hash; 0 where the place is free. */
  tags: Uint32Array;
  /** Tenths of a second since 1970, modulo 2^32, at which the answer was complete. */
  ends: Uint32Array;
}

export interface AskedPrompt {
  /** 16 hex digits. */
  readonly hash: string;
  /** Unix milliseconds; never decreasing within a call. */
  readonly startMs: number;
  readonly endMs: number;
  /** Whether its answer can be given again. */
  readonly answered: boolean;
}

const placesMin = 64;
const placesMax = 4096;
const groupSize = 4;
const tickMs = 100;
/** Differences of times are modulo 2^32: what is beyond the half lies before. */
const half = 2 ** 31;

/** Before the first prompt. */
export function newAnsweredPrompts(): AnsweredPrompts {
  return { tags: new Uint32Array(placesMin), ends: new Uint32Array(placesMin) };
}

/** Forgets all of them, and the room they took. */
export function forgetPrompts(prompts: AnsweredPrompts): void {
  Object.assign(prompts, newAnsweredPrompts());
}

/**
 * Whether a memo whose answers are good for `keepMs` would have had the answer when the prompt was asked; else the answer
 * is remembered from its own end on. What was asked while the first answer was still under way was not answered before:
 * samples that are drawn side by side repeat nothing. Of different prompts one in a million is taken for another.
 */
export function wasAnswered(prompts: AnsweredPrompts, asked: AskedPrompt, keepMs: number): boolean {
  const tag = (Number.parseInt(asked.hash.slice(0, 8), 16) ^ Number.parseInt(asked.hash.slice(8), 16)) >>> 0 || 1;
  const start = Math.floor(asked.startMs / tickMs) >>> 0;
  const end = Math.ceil(asked.endMs / tickMs) >>> 0;
  const keep = Math.min(half - 1, Math.floor(keepMs / tickMs));
  const known = placeOf(prompts, tag);
  if (known === -1) {
    if (asked.answered) remember(prompts, { tag, end, start, keep });
    return false;
  }
  const before = prompts.ends[known] ?? 0;
  const passed = (start - before) >>> 0;
  if (passed < keep) return true;
  if (!asked.answered) return false;
  // Too old: this call is the one a memo would have paid for. Under way at the same time: whichever was done first.
  if (passed < half || (before - end) >>> 0 < half) prompts.ends[known] = end;
  return false;
}

function placeOf({ tags }: AnsweredPrompts, tag: number): number {
  const first = groupOf(tag, tags.length);
  for (let place = first; place < first + groupSize; place++) if (tags[place] === tag) return place;
  return -1;
}

function groupOf(tag: number, places: number): number {
  return (tag % (places / groupSize)) * groupSize;
}

interface Answer {
  readonly tag: number;
  readonly end: number;
  readonly start: number;
  readonly keep: number;
}

function remember(prompts: AnsweredPrompts, answer: Answer): void {
  const first = groupOf(answer.tag, prompts.tags.length);
  let oldest = first;
  let oldestAge = -1;
  for (let place = first; place < first + groupSize; place++) {
    const isFree = prompts.tags[place] === 0;
    const passed = (answer.start - (prompts.ends[place] ?? 0)) >>> 0;
    const age = isFree ? Number.POSITIVE_INFINITY : passed < half ? passed : 0;
    if (age <= oldestAge) continue;
    oldest = place;
    oldestAge = age;
  }
  if (oldestAge < answer.keep && prompts.tags.length < placesMax) {
    grow(prompts);
    remember(prompts, answer);
    return;
  }
  prompts.tags[oldest] = answer.tag;
  prompts.ends[oldest] = answer.end;
}

/** Twice the places: each group of four is dealt over two of them, so that all of it fits. */
function grow(prompts: AnsweredPrompts): void {
  const { tags, ends } = prompts;
  const larger = { tags: new Uint32Array(2 * tags.length), ends: new Uint32Array(2 * tags.length) };
  for (const [from, tag] of tags.entries()) {
    if (tag === 0) continue;
    let place = groupOf(tag, larger.tags.length);
    while (larger.tags[place] !== 0) place++;
    larger.tags[place] = tag;
    larger.ends[place] = ends[from] ?? 0;
  }
  Object.assign(prompts, larger);
}
