/** The usage log on lmdb: log, index of traces, resolver state and consumers' marks share one environment. */

import type { Database } from "lmdb";
import { LmdbLog, type LmdbLogOptions } from "./lmdb-log.ts";
import { TraceIndex, type TraceIndexOptions } from "./trace-index.ts";
import type { IdentityStats, ResolverStep, SeenSpan, SeenTrace, TraceKey, UsageLog } from "./usage-log.ts";

const inputOffsetName = "input.offset";

export class LmdbUsageLog implements UsageLog {
  readonly entries: LmdbLog;
  readonly #index: TraceIndex;
  readonly #wrappers: Database<Buffer, string>;
  readonly #state: Database<unknown, string>;
  #inputOffset: number;

  constructor(options: LmdbLogOptions & { readonly identities: TraceIndexOptions }) {
    this.entries = new LmdbLog(options);
    this.#index = new TraceIndex(this.entries.environment, options.identities);
    this.#wrappers = this.entries.environment.openDB({ name: "wrappers", encoding: "binary" });
    this.#state = this.entries.environment.openDB({ name: "state" });
    this.#inputOffset = (this.#state.get(inputOffsetName) as number | undefined) ?? 0;
  }

  async commit(step: ResolverStep): Promise<readonly number[]> {
    const offsets = await this.entries.appendWith(step.entries, () => {
      this.#index.save(step.traces, step.arrivedAtMs);
      for (const [key, entry] of step.wrappers) this.#keepWrapper(key, entry);
      for (const [name, value] of Object.entries(step.state)) this.#state.put(name, value);
      this.#state.put(inputOffsetName, step.inputOffset);
    });
    this.#inputOffset = step.inputOffset;
    return offsets;
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
    return this.#inputOffset;
  }

  state(name: string): unknown {
    return this.#state.get(name);
  }

  identityStats(nowMs: number): IdentityStats {
    return this.#index.stats(nowMs);
  }

  saveMark(name: string, value: unknown): Promise<void> {
    return this.entries.transact(async () => {
      await this.#state.put(`mark.${name}`, value);
      await this.entries.environment.flushed;
    });
  }

  mark(name: string): unknown {
    return this.#state.get(`mark.${name}`);
  }

  async close(): Promise<void> {
    await this.entries.close();
  }
}
