/** The usage log on lmdb: log, identity index, resolver state and consumers' marks share one environment. */

import type { Database } from "lmdb";
import { IdentityIndex, type IdentityIndexOptions } from "./identity-index.ts";
import { LmdbLog, type LmdbLogOptions } from "./lmdb-log.ts";
import type { Identity, IdentityStats, ResolverStep, Seen, UsageLog } from "./usage-log.ts";

const inputOffsetName = "input.offset";

export class LmdbUsageLog implements UsageLog {
  readonly entries: LmdbLog;
  readonly #index: IdentityIndex;
  readonly #state: Database<unknown, string>;
  #inputOffset: number;

  constructor(options: LmdbLogOptions & { readonly identities: IdentityIndexOptions }) {
    this.entries = new LmdbLog(options);
    this.#index = new IdentityIndex(this.entries.environment, options.identities);
    this.#state = this.entries.environment.openDB({ name: "state" });
    this.#inputOffset = (this.#state.get(inputOffsetName) as number | undefined) ?? 0;
  }

  async commit(step: ResolverStep): Promise<readonly number[]> {
    const offsets = await this.entries.appendWith(step.entries, () => {
      this.#index.add(step.identities, step.arrivedAtMs);
      for (const [name, value] of Object.entries(step.state)) this.#state.put(name, value);
      this.#state.put(inputOffsetName, step.inputOffset);
    });
    this.#inputOffset = step.inputOffset;
    return offsets;
  }

  seen(identity: Identity): Seen | undefined {
    return this.#index.seen(identity);
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
