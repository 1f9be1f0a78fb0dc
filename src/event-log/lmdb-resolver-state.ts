/** What a resolver remembers, on lmdb: index of traces, kept wrappers, small state and input offset in one environment. */

import type { Database, RootDatabase } from "lmdb";
import { TraceIndex, type TraceIndexOptions } from "./trace-index.ts";
import { checkVersion } from "./unreadable-entry.ts";
import type { IdentityStats, ResolverMemory, ResolverStep, SeenSpan, SeenTrace, TraceKey } from "./usage-log.ts";

const inputOffsetName = "input.offset";
/** Name of the state that says of the last hole. */
export const holeName = "memory.hole";
const formatName = "format";
const format = 1;

/**
 * A step of the memory that cannot be read. Its spans are resolved again, from where the step before it ended, and until a
 * horizon has passed what began before it is looked for in the table, as if it had been forgotten by age: so nothing is
 * billed twice, and wrappers that were only kept in there are kept again.
 */
export interface Hole {
  /** In the memory topic. */
  readonly offset: number;
  /** Everything that arrived before may be in it; Unix milliseconds. */
  readonly untilMs: number;
  /** Of the spans topic, where it begins. */
  readonly inputOffset: number;
}

export class LmdbResolverState implements ResolverMemory {
  readonly #index: TraceIndex;
  readonly #wrappers: Database<Buffer, string>;
  readonly #state: Database<unknown, string>;
  #hole: Hole | undefined;
  /** When the newest span of the last step had arrived. */
  #lastArrivalMs = 0;

  /** @throws OtherVersionEntry where a newer version has written it: none is said before formats differ. */
  constructor(environment: RootDatabase, identities: TraceIndexOptions) {
    this.#index = new TraceIndex(environment, identities);
    this.#wrappers = environment.openDB({ name: "wrappers", encoding: "binary" });
    this.#state = environment.openDB({ name: "state" });
    checkVersion("the resolver's memory on disk", this.state(formatName) ?? format, format);
    this.#hole = this.state(holeName) as Hole | undefined;
  }

  /** Puts a step into the transaction that is being collected. Call it inside the environment's batch. */
  put(step: Omit<ResolverStep, "entries">): void {
    this.#index.save(step.traces, step.arrivedAtMs);
    for (const [key, entry] of step.wrappers) this.#keepWrapper(key, entry);
    for (const [name, value] of Object.entries(step.state)) this.putState(name, value);
    this.#lastArrivalMs = Math.max(this.#lastArrivalMs, step.inputArrivedAtMs ?? 0);
    this.putState(inputOffsetName, step.inputOffset);
  }

  /** Like `put`, a single value; resolves once it is committed. */
  putState(name: string, value: unknown): Promise<boolean> {
    if (name === holeName) this.#hole = value as Hole;
    return this.#state.put(name, value);
  }

  #keepWrapper(key: string, entry: Uint8Array | null): void {
    if (entry === null) this.#wrappers.remove(key);
    else this.#wrappers.put(key, Buffer.from(entry.buffer, entry.byteOffset, entry.byteLength));
  }

  trace(key: TraceKey): SeenTrace {
    return this.#index.trace(key);
  }

  seen(trace: SeenTrace, spanId: string): SeenSpan | undefined {
    return this.#index.seen(trace, spanId);
  }

  wrapper(key: string): Uint8Array | undefined {
    return this.#wrappers.get(key);
  }

  wrapperKeys(): Iterable<string> {
    return this.#wrappers.getKeys();
  }

  inputOffset(): number {
    return (this.state(inputOffsetName) as number | undefined) ?? 0;
  }

  state(name: string): unknown {
    return this.#state.get(name);
  }

  /** Takes what arrived before this hole for forgotten, from now on. */
  forget(hole: Hole): void {
    this.#hole = hole;
  }

  /** Of what arrives next: what arrived before a hole is not known, which shortens the horizon. */
  identityStats(nowMs: number): IdentityStats {
    const stats = this.#index.stats(nowMs);
    if (this.#hole === undefined) return stats;
    const sinceMs = Math.max(0, this.#lastArrivalMs - this.#hole.untilMs);
    return sinceMs >= stats.horizonMs ? stats : { ...stats, horizonMs: sinceMs, shortened: true };
  }
}
