/** Waiting that an abort ends early, without an error. */

export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    }
    signal?.addEventListener("abort", done);
    if (signal?.aborted === true) done();
  });
}

/** So that what is due soon after gathers into one batch. */
const leastMs = 50;

/** Waits until a Unix time in milliseconds. A timer cannot hold more than 24 days: it is set again each hour. */
export async function sleepUntil(dueMs: number, signal?: AbortSignal): Promise<void> {
  do await sleep(Math.min(3_600_000, Math.max(leastMs, dueMs - Date.now())), signal);
  while (dueMs > Date.now() && signal?.aborted !== true);
}
