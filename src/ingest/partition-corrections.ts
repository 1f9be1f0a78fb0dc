/**
 * Corrections in a cluster: whoever resolves a trace corrects its records, between two of its steps, so that nobody else
 * changes them meanwhile. Its steps are counted here, since the usage log has many partitions with offsets of their own.
 */

import { identityKey, type ResolverLog } from "../event-log/usage-log.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import { byPartition } from "./by-partition.ts";
import { correctionOf } from "./correction.ts";
import type { CorrectionStep } from "./corrections.ts";
import { splitByDays } from "./split-by-days.ts";
import { encodeUsageEntry } from "./usage-codec.ts";

export interface PartitionCorrectionsOptions {
  readonly usage: ResolverLog;
  /** As of `Resolver`. */
  readonly between: <Result>(work: (arrivedAtMs: number) => Promise<Result>) => Promise<Result>;
  /** Resolves once everything that stands in the usage log when it is asked is in the table. Rejects after a while. */
  readonly untilStored: () => Promise<void>;
  /** What was kept when the partition was taken over. */
  readonly state: Readonly<Record<string, unknown>>;
  /** What is kept, as others read it. */
  readonly encode: (state: Readonly<Record<string, unknown>>) => Uint8Array;
  readonly observe: (corrections: number) => void;
  /** Told of a commit that failed: then nothing here is of any use any longer. */
  readonly failed: (error: Error) => void;
}

interface Step {
  readonly number: number;
  readonly keys: readonly string[];
}

/** Identities that are remembered to be left out; of more it is not known who changed, and it is read again. */
const keysMax = 200_000;
const askAgainMs = 1000;

export class PartitionCorrections {
  readonly #options: PartitionCorrectionsOptions;
  #state: Readonly<Record<string, unknown>>;
  /** What was resolved before is the first step, of which nobody knows yet whether it is stored. */
  #last = 1;
  #stored = 0;
  #steps: Step[] = [];
  #keys = 0;
  #forgotten = 0;
  #asking = false;

  constructor(options: PartitionCorrectionsOptions) {
    this.#options = options;
    this.#state = options.state;
  }

  /** Takes note of the records of a step that was committed. */
  resolved(records: readonly UsageRecord[]): void {
    if (records.length === 0) return;
    this.#last++;
    this.#steps.push({ number: this.#last, keys: records.map(identityKey) });
    this.#keys += records.length;
    while (this.#keys > keysMax || (this.#steps[0]?.number ?? this.#last) < this.#stored) this.#forgetFirst();
  }

  /** Every record of the steps up to here can be read from the table. */
  writtenOffset(): number {
    return this.#stored;
  }

  /** The newest step. */
  lastOffset(): number {
    if (this.#stored < this.#last && !this.#asking) void this.#ask();
    return this.#last;
  }

  state(name: string): unknown {
    return this.#state[name];
  }

  /** As of `Corrections`. */
  commit(step: CorrectionStep): Promise<number | undefined> {
    return this.#options.between(async (arrivedAtMs) => {
      const { usage, encode, observe, failed } = this.#options;
      const changed = this.#changedSince(step.readAtOffset);
      if (changed === undefined) return undefined;
      const made = step.corrections.filter(({ previous }) => !changed.has(identityKey(previous)));
      const records = made.flatMap(({ previous, corrected }) => correctionOf(previous, corrected));
      const state = { ...this.#state, ...step.state(made) };
      const entries = byPartition(records, usage.partitions).flatMap(({ partition, records: of }) =>
        splitByDays(of).map((part) => ({ partition, payload: encodeUsageEntry({ arrivedAtMs, records: part }) })),
      );
      const committed = usage.commit({
        inputOffset: usage.inputOffset(),
        arrivedAtMs,
        entries,
        traces: new Map(),
        wrappers: new Map(),
        state: {},
        repriced: encode(state),
      });
      committed.catch(failed);
      await committed;
      this.#state = state;
      this.resolved(records);
      observe(made.length);
      return step.corrections.length - made.length;
    });
  }

  #changedSince(number: number): ReadonlySet<string> | undefined {
    if (number < this.#forgotten) return undefined;
    return new Set(this.#steps.filter((step) => step.number > number).flatMap(({ keys }) => keys));
  }

  #forgetFirst(): void {
    const first = this.#steps.shift();
    this.#keys -= first?.keys.length ?? 0;
    this.#forgotten = first?.number ?? this.#forgotten;
  }

  async #ask(): Promise<void> {
    const asked = this.#last;
    this.#asking = true;
    try {
      await this.#options.untilStored();
      this.#stored = asked;
    } catch {
      // Whoever waits asks again; meanwhile the brokers or the writers may be back.
      await new Promise((resolve) => setTimeout(resolve, askAgainMs));
    } finally {
      this.#asking = false;
    }
  }
}
