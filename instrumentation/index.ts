/** The public names of `@burnwatch/instrumentation`. Importing this patches nothing; `register` does. */

import { type Fetch, watchFetch } from "./intercept/fetch.ts";
import { getRuntime } from "./runtime.ts";
import { getParts } from "./start.ts";

export { type Attribution, type AttributionInput, currentAttribution, withAttribution } from "./attribution.ts";
export { type Outcome, recordOutcome } from "./outcome.ts";

/**
 * A watched version of a `fetch` that this package cannot see by itself: undici's own, one behind a proxy agent, one
 * taken before the import. Calls are recorded once, also when the global `fetch` lies beneath it.
 */
export function wrapFetch(fetch: Fetch): Fetch {
  return watchFetch(fetch, getParts(getRuntime()));
}

/** Sends what is recorded so far: for serverless functions, before they are frozen. True when all was acknowledged. */
export function flush(timeoutMs = 2000): Promise<boolean> {
  return getRuntime().pipeline?.flush(timeoutMs) ?? Promise.resolve(true);
}

/** Counters of this process: calls seen, records sent, waiting and dropped, faults caught. */
export function stats(): {
  readonly calls: number;
  readonly recorded: number;
  readonly delivered: number;
  readonly waiting: number;
  readonly dropped: number;
  readonly faults: number;
} {
  const { counters, pipeline } = getRuntime();
  const { recorded, delivered, waiting, dropped } = pipeline?.stats ?? {
    recorded: 0,
    delivered: 0,
    waiting: 0,
    dropped: 0,
  };
  return { calls: counters.calls, recorded, delivered, waiting, dropped, faults: counters.faults };
}
