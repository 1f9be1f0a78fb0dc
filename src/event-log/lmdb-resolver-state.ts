/** What a resolver remembers, on lmdb: index of traces, kept wrappers, small state and input offset in one environment. */

import type { Database, RootDatabase } from "lmdb";
import { TraceIndex, type TraceIndexOptions } from "./trace-index.ts";
import type { IdentityStats, ResolverMemory, ResolverStep, SeenSpan, SeenTrace, TraceKey } from "./usage-log.ts";

const inputOffsetName = "input.offset";

export class LmdbResolverState implements ResolverMemory {
  readonly #index: TraceIndex;
  readonly #wrappers: Database<Buffer, string>;
  readonly #state: Database<unknown, string>;

  constructor(environment: RootDatabase, identities: TraceIndexOptions) {
    this.#index = new TraceIndex(environment, identities);
    this.#wrappers = environment.openDB({ name: "wrappers", encoding: "binary" });
    this.#state = environment.openDB({ name: "state" });
  }

  /** Puts a step into the transaction that is being collected. Call it inside the environment's batch. */
  put(step: Omit<ResolverStep, "entries">): void {
    this.#index.save(step.traces, step.arrivedAtMs);
    for (const [key, entry] of step.wrappers) this.#keepWrapper(key, entry);
    for (const [name, value] of Object.entries(step.state)) this.putState(name, value);
    this.putState(inputOffsetName, step.inputOffset);
  }

  /** Like `put`, a single value; resolves once it is committed. */
  putState(name: string, value: unknown): Promise<boolean> {
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

  identityStats(nowMs: number): IdentityStats {
    return this.#index.stats(nowMs);
  }
}
