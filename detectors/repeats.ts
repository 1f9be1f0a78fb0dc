/**
 * Whether the steps of a run go in circles. The pure core of L1.
 *
 * A step is what was asked of a tool: its name and a hash of its arguments. For each period from 1 to 4 a bet is laid that
 * the step equals the one that many steps before: it pays `q / p` when it does and `(1 - q) / (1 - p)` when not, with p the
 * frequency at which that happens to this tool in this feature, after as many matches in a row. The bets are e-values, their
 * Shiryaev-Roberts sums over all possible beginnings add up to evidence: at most one false alarm in A steps as long as the
 * frequencies are right. A tool that polls repeats itself in every run: its p is near 1 and its matches pay nothing.
 */

/** How often what was asked of a tool is asked again: by matches in a row so far (none, one, two and more). */
export interface RepeatRates {
  readonly matches: [number, number, number];
  readonly trials: [number, number, number];
}

/** Plain data; about 300 bytes. */
export interface RepeatState {
  /** Hashes of the last steps, the latest at `(steps - 1) % ring.length`. */
  readonly ring: Uint32Array;
  /** The tools of the same steps. */
  readonly tools: string[];
  steps: number;
  /** By period: matches in a row, and evidence. */
  readonly streak: [number, number, number, number];
  readonly evidence: [number, number, number, number];
}

export interface Repeats {
  readonly evidence: number;
  /** The period whose evidence is largest, and its matches in a row. */
  readonly period: number;
  readonly streak: number;
}

export const periodsMax = 4;
const ringLength = 8;
/** What a loop does: it repeats nearly always. */
const loopMatches = 0.9;
/** Taken for granted of a tool that nothing is known of: one call in 50 repeats, of repeated ones one in 10. */
const priorTrials = [50, 10, 10] as const;
const priorMatches = 1;
/** No tool is trusted to repeat itself less often than this. */
const rateMin = 0.005;
const evidenceMax = 1e30;
/** The counts remember so many calls: a tool that changes its habit is learnt anew. */
const trialsMax = 2000;

/** A run before its first step. */
export function newRepeats(): RepeatState {
  return { ring: new Uint32Array(ringLength), tools: [], steps: 0, streak: [0, 0, 0, 0], evidence: [0, 0, 0, 0] };
}

/** Rates of a tool before its first call. */
export function newRates(): RepeatRates {
  return { matches: [0, 0, 0], trials: [0, 0, 0] };
}

export interface Step {
  readonly tool: string;
  /** Of the tool and its arguments. */
  readonly hash: number;
}

/** What is known about tools, and how many matches in a row they learn from at most: one long row is no habit. */
export interface Habits {
  readonly ratesOf: (tool: string) => RepeatRates;
  readonly taughtMax: number;
}

/** Takes a step of a run. @returns the evidence that the run goes in circles. */
export function addStep(state: RepeatState, step: Step, { ratesOf, taughtMax }: Habits): Repeats {
  let evidence = 0;
  let best = 0;
  for (let index = 0; index < periodsMax && index < state.steps; index++) {
    const streak = state.streak[index] ?? 0;
    const earlier = (state.steps - index - 1) % ringLength;
    const match = state.ring[earlier] === step.hash;
    const rates = ratesOf(state.tools[earlier] ?? "");
    const rate = rateOf(rates, streak);
    const paid = match ? loopMatches / rate : (1 - loopMatches) / (1 - rate);
    state.evidence[index] = Math.min(evidenceMax, ((state.evidence[index] ?? 0) + 1) * paid);
    // Matches teach when they have ended: a circle that still goes round does not excuse itself.
    if (!match) learn(rates, Math.min(streak, taughtMax));
    state.streak[index] = match ? streak + 1 : 0;
    evidence += (state.evidence[index] ?? 0) / periodsMax;
    if ((state.evidence[index] ?? 0) > (state.evidence[best] ?? 0)) best = index;
  }
  state.ring[state.steps % ringLength] = step.hash;
  state.tools[state.steps % ringLength] = step.tool;
  state.steps++;
  return { evidence, period: best + 1, streak: state.streak[best] ?? 0 };
}

function rateOf({ matches, trials }: RepeatRates, streak: number): number {
  const level = Math.min(2, streak);
  const rate = ((matches[level] ?? 0) + priorMatches) / ((trials[level] ?? 0) + (priorTrials[level] ?? 1));
  return Math.min(loopMatches, Math.max(rateMin, rate));
}

/** A row of matches that was followed by none; an empty row is one call that was not repeated. */
function learn({ matches, trials }: RepeatRates, streak: number): void {
  for (let row = 0; row <= streak; row++) {
    const level = Math.min(2, row);
    trials[level] = (trials[level] ?? 0) + 1;
    if (row < streak) matches[level] = (matches[level] ?? 0) + 1;
    if ((trials[level] ?? 0) < trialsMax) continue;
    trials[level] = (trials[level] ?? 0) / 2;
    matches[level] = (matches[level] ?? 0) / 2;
  }
}
