/** The usage log on lmdb: log, the resolver's state and consumers' marks share one environment. */

import { LmdbLog, type LmdbLogOptions } from "./lmdb-log.ts";
import { LmdbResolverState } from "./lmdb-resolver-state.ts";
import type { TraceIndexOptions } from "./trace-index.ts";
import type { IdentityStats, ResolverStep, SeenSpan, SeenTrace, TraceKey, UsageLog } from "./usage-log.ts";

export class LmdbUsageLog implements UsageLog {
  readonly partitions = 1;
  readonly clockOf = [0];
  readonly entries: LmdbLog;
  readonly #state: LmdbResolverState;
  #inputOffset: number;

  constructor(options: LmdbLogOptions & { readonly identities: TraceIndexOptions }) {
    this.entries = new LmdbLog(options);
    this.#state = new LmdbResolverState(this.entries.environment, options.identities);
    this.#inputOffset = this.#state.inputOffset();
  }

  async commit(step: ResolverStep): Promise<readonly number[]> {
    const payloads = step.entries.map(({ payload }) => payload);
    const offsets = await this.entries.appendWith(payloads, () => this.#state.put(step));
    this.#inputOffset = step.inputOffset;
    return offsets;
  }

  trace(key: TraceKey): SeenTrace {
    return this.#state.trace(key);
  }

  seen(trace: SeenTrace, spanId: string): SeenSpan | undefined {
    return this.#state.seen(trace, spanId);
  }

  wrapper(key: string): Uint8Array | undefined {
    return this.#state.wrapper(key);
  }

  wrapperKeys(): Iterable<string> {
    return this.#state.wrapperKeys();
  }

  inputOffset(): number {
    return this.#inputOffset;
  }

  state(name: string): unknown {
    return this.#state.state(name);
  }

  identityStats(nowMs: number): IdentityStats {
    return this.#state.identityStats(nowMs);
  }

  saveMark(name: string, value: unknown): Promise<void> {
    return this.entries.transact(async () => {
      await this.#state.putState(`mark.${name}`, value);
      await this.entries.environment.flushed;
    });
  }

  mark(name: string): unknown {
    return this.#state.state(`mark.${name}`);
  }

  async close(): Promise<void> {
    await this.entries.close();
  }
}
