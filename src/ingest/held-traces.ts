/** Which traces wait to be quiet, and which wrappers are kept for how long. In memory; made anew from the log at a start. */

import type { TraceKey } from "../event-log/usage-log.ts";

/** A trace without arrivals for this long is taken to be complete; what comes later corrects. */
const quietMs = 30_000;
/** A wrapper's record is kept for this long, for the leaf that comes late. */
const keptMs = 3_600_000;
/** Beyond these the oldest is decided, or forgotten, early. */
export interface HeldLimits {
  readonly tracesMax: number;
  readonly wrappersMax: number;
}
export const heldLimitsDefault: HeldLimits = { tracesMax: 50_000, wrappersMax: 200_000 };
/** Taken in one step at most; `due` and `expired` are asked again until they give less. */
export const heldBatchMax = 2000;

export class HeldTraces {
  readonly #limits: HeldLimits;
  /** By trace, the one that was quiet for longest first. */
  readonly #traces = new Map<string, { readonly key: TraceKey; readonly lastArrivalMs: number }>();
  /** By wrapper, the oldest first: when it arrived. */
  readonly #wrappers = new Map<string, number>();

  constructor(limits: HeldLimits) {
    this.#limits = limits;
  }

  hold({ tenant, traceId }: TraceKey, arrivedAtMs: number): void {
    const name = nameOf({ tenant, traceId });
    this.#traces.delete(name);
    // The names alone: the trace itself is loaded again when it is due.
    this.#traces.set(name, { key: { tenant, traceId }, lastArrivalMs: arrivedAtMs });
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
      const crowded = this.#traces.size - due.length > this.#limits.tracesMax;
      if ((nowMs - lastArrivalMs < quietMs && !crowded) || due.length >= heldBatchMax) break;
      due.push(key);
    }
    return due;
  }

  /** Takes out the wrappers that need not be kept any longer; what is still held of them must be decided now. */
  expired(nowMs: number): readonly string[] {
    const expired: string[] = [];
    for (const [wrapper, arrivedAtMs] of this.#wrappers) {
      const crowded = this.#wrappers.size - expired.length > this.#limits.wrappersMax;
      if ((nowMs - arrivedAtMs < keptMs && !crowded) || expired.length >= heldBatchMax) break;
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
