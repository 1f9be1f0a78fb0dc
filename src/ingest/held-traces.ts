/** Which traces wait to be quiet, and which wrappers are kept for how long. In memory; made anew from the log at a start. */

import type { TraceKey } from "../event-log/usage-log.ts";

/** A trace without arrivals for this long is taken to be complete; what comes later corrects. */
const quietMs = 30_000;
/** A wrapper's record is kept for this long, for the leaf that comes late. */
const keptMs = 3_600_000;
/** Beyond these the oldest is decided, or forgotten, early. */
const tracesMax = 50_000;
const wrappersMax = 200_000;
/** Taken in one step at most. */
const batchMax = 2000;

export class HeldTraces {
  /** By trace, the one that was quiet for longest first. */
  readonly #traces = new Map<string, { readonly key: TraceKey; readonly lastArrivalMs: number }>();
  /** By wrapper, the oldest first: when it arrived. */
  readonly #wrappers = new Map<string, number>();

  hold(key: TraceKey, arrivedAtMs: number): void {
    const name = nameOf(key);
    this.#traces.delete(name);
    this.#traces.set(name, { key, lastArrivalMs: arrivedAtMs });
  }

  release(key: TraceKey): void {
    if (this.#traces.size > 0) this.#traces.delete(nameOf(key));
  }

  keep(wrapper: string, arrivedAtMs: number): void {
    this.#wrappers.set(wrapper, arrivedAtMs);
  }

  /** Traces that are quiet by now, or too many. They stay until they are released. */
  due(nowMs: number): readonly TraceKey[] {
    const due: TraceKey[] = [];
    for (const { key, lastArrivalMs } of this.#traces.values()) {
      const crowded = this.#traces.size - due.length > tracesMax;
      if ((nowMs - lastArrivalMs < quietMs && !crowded) || due.length >= batchMax) break;
      due.push(key);
    }
    return due;
  }

  /** Takes out the wrappers that need not be kept any longer. */
  expired(nowMs: number): readonly string[] {
    const expired: string[] = [];
    for (const [wrapper, arrivedAtMs] of this.#wrappers) {
      const crowded = this.#wrappers.size - expired.length > wrappersMax;
      if ((nowMs - arrivedAtMs < keptMs && !crowded) || expired.length >= batchMax) break;
      expired.push(wrapper);
    }
    for (const wrapper of expired) this.#wrappers.delete(wrapper);
    return expired;
  }

  /** Traces that wait, and wrappers that are kept. */
  sizes(): { readonly traces: number; readonly wrappers: number } {
    return { traces: this.#traces.size, wrappers: this.#wrappers.size };
  }
}

function nameOf({ tenant, traceId }: TraceKey): string {
  return `${traceId}${tenant}`;
}
