/** When which call is sent, and which date it gets. */

import type { ReplayCall } from "./replay-call.ts";

/** `max` is as fast as the server takes it; a number is how many times as fast as it was recorded. */
export type Speed = number | "max";

export interface Schedule {
  /** Unix microseconds of the trace's time 0. */
  readonly zeroUs: number;
  /** Unix milliseconds at which a call is due; never, for `max`, in the future. */
  readonly dueMs: (call: ReplayCall) => number;
}

/**
 * A call is sent when it ended. Rebased times end when the replay does: with speed 1 each call is dated as it is sent, faster ones are
 * dated before, and only the last one ends "now". No call is dated in the future.
 */
export function schedule(
  calls: readonly ReplayCall[],
  options: { readonly speed: Speed; readonly nowMs: number; readonly originalZeroUs?: number | undefined },
): Schedule {
  const firstEndUs = calls[0]?.endUs ?? 0;
  const lastEndUs = calls.at(-1)?.endUs ?? 0;
  const { speed, nowMs } = options;
  const lastsUs = speed === "max" ? 0 : (lastEndUs - firstEndUs) / Math.max(1, speed);
  return {
    zeroUs: options.originalZeroUs ?? Math.round(nowMs * 1000 + lastsUs) - lastEndUs,
    dueMs: (call) => (speed === "max" ? nowMs : nowMs + (call.endUs - firstEndUs) / speed / 1000),
  };
}
