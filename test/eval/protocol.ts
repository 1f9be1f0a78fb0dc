/**
 * What is measured, fixed before anything was tuned: streams, split, scenarios, seeds, levels and the search. Changing a
 * number here is changing the examination, not the pupil; say so in the commit.
 */

/** Tuning sees `dev`, tables report `holdout`: by time for Azure, by session for Claude Code. */
export const split = { devShare: 0.5 } as const;

/** The streams: one measure of one recorded trace. */
export const streamNames = ["conv/in", "conv/out", "code/in", "code/out", "claude/in", "claude/out"] as const;
export type StreamName = (typeof streamNames)[number];

/** What happens to a stream at the onset. A tail multiplies a share of the values, chosen at random. */
export const shifts = [
  { name: "x1.2", share: 1, factor: 1.2 },
  { name: "x1.5", share: 1, factor: 1.5 },
  { name: "x2", share: 1, factor: 2 },
  { name: "x4", share: 1, factor: 4 },
  { name: "5% x10", share: 0.05, factor: 10 },
  { name: "20% x5", share: 0.2, factor: 5 },
] as const;

/** Average run length that every method is tuned to on exchangeable data of `dev`, in records. */
export const matchedRunLength = 100_000;
/** Alarm levels of the e-detector that are reported. */
export const alarmLevels = { matched: 1e5, page: 1e7 } as const;

/** Records before the onset, and records after it within which it must be found. */
export const warmUpRecords = 2000;
export const afterRecords = 3000;
export const recallWithin = 500;

export const sizes = {
  quick: { nullRecords: 300_000, theoremRecords: 4_000_000, shiftRuns: 20, incidentRuns: 2 },
  usual: { nullRecords: 1_500_000, theoremRecords: 40_000_000, shiftRuns: 100, incidentRuns: 6 },
  large: { nullRecords: 6_000_000, theoremRecords: 1_000_000_000, shiftRuns: 200, incidentRuns: 40 },
} as const;

/** Every random choice of an evaluation comes from this and the name of what it is for. */
export const seed = 20260105;

/** Incidents put into whole recorded hours: label from the onset on. Onsets are drawn from these shares of the trace. */
export const incidentOnsets = { from: 0.5, until: 0.8 } as const;
export const incidentMinutes = 10;

/**
 * Clients of real rates by file: `dev` was looked at while the rules of pages were chosen, `exam` is other clients, and the
 * same clients a week later from a cold start; it is reported and nothing is changed for it.
 */
export const weekSets = {
  dev: ["m-small_week1", "m-large_week1"],
  exam: ["m-mid_2weeks", "m-small_week2", "m-large_week2"],
} as const;
export const weekClients = { quick: 10, usual: 60, large: 60 } as const;
/** A client's requests are thinned to so many a week, which keeps its season and its bursts. */
export const weekCalls = 30_000;
