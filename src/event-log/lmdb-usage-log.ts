/** The usage log on lmdb: log, the resolver's state and consumers' marks share one environment. */

import { LmdbLog, type LmdbLogOptions } from "./lmdb-log.ts";
import { LmdbResolverState } from "./lmdb-resolver-state.ts";
import type { TraceIndexOptions } from "./trace-index.ts";
import type { ResolverStep, UsageLog } from "./usage-log.ts";

export class LmdbUsageLog implements UsageLog {
  readonly partitions = 1;
  readonly clockOf = [0];
  readonly parks = false;
  readonly accounts = true;
  readonly entries: LmdbLog;
  readonly memory: LmdbResolverState;
  #inputOffset: number;

  constructor(options: LmdbLogOptions & { readonly identities: TraceIndexOptions }) {
    this.entries = new LmdbLog(options);
    this.memory = new LmdbResolverState(this.entries.environment, options.identities);
    this.#inputOffset = this.memory.inputOffset();
  }

  async commit(step: ResolverStep): Promise<readonly number[]> {
    const payloads = step.entries.map(({ payload }) => payload);
    const offsets = await this.entries.appendWith(payloads, () => this.memory.put(step));
    this.#inputOffset = step.inputOffset;
    return offsets;
  }

  inputOffset(): number {
    return this.#inputOffset;
  }

  saveMark(name: string, value: unknown): Promise<void> {
    return this.entries.transact(async () => {
      await this.memory.putState(`mark.${name}`, value);
      await this.entries.environment.flushed;
    });
  }

  mark(name: string): unknown {
    return this.memory.state(`mark.${name}`);
  }

  async close(): Promise<void> {
    await this.entries.close();
  }
}
