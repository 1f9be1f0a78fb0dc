/** The clock that tells when entries of the logs arrived: consumers of a log rely on its time never going back. */

export interface Clocks {
  /** Unix milliseconds, as somebody may set them. */
  readonly wall: () => number;
  /** Milliseconds since any moment, which nobody can set. */
  readonly steady: () => number;
}

/**
 * Follows the wall clock ahead, also in jumps; where that is set back, it goes on at the pace of the steady clock until
 * it is overtaken. Otherwise ticks and the end of every alert would wait for as long as the clock was set back.
 */
export function logClock({ wall, steady }: Clocks): () => number {
  let [lastMs, lastSteadyMs] = [wall(), steady()];
  return () => {
    const steadyMs = steady();
    lastMs = Math.max(wall(), lastMs + steadyMs - lastSteadyMs);
    lastSteadyMs = steadyMs;
    return Math.floor(lastMs);
  };
}
