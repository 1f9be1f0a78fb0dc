/** Corrections of records that are resolved already, committed between two steps of the resolver in one transaction. */

import { identityKey, type UsageLog } from "../event-log/usage-log.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import { correctionOf } from "./correction.ts";
import type { FreshEntries } from "./fresh-entries.ts";
import { splitByDays } from "./split-by-days.ts";
import { decodeUsageEntry, encodeUsageEntry, type UsageEntry } from "./usage-codec.ts";

export interface CorrectionsOptions {
  readonly usage: UsageLog;
  readonly fresh: FreshEntries<UsageEntry>;
  /** Every entry of the usage log up to here is in the table. */
  readonly writtenOffset: () => number;
  /** Runs when nothing else is committed; told the time of the entries that are appended. */
  readonly between: <Result>(work: (arrivedAtMs: number) => Promise<Result>) => Promise<Result>;
  /** Told of each commit. */
  readonly observe: (corrections: number) => void;
}

/** A record as it is stored, and as it should be. */
export interface Correction {
  readonly previous: UsageRecord;
  readonly corrected: UsageRecord;
}

export interface CorrectionStep {
  /** What was read from the table was read when every entry up to here was in it. */
  readonly readAtOffset: number;
  readonly corrections: readonly Correction[];
  /** Named small values to keep in the same transaction, given the corrections that are made. */
  readonly state: (made: readonly Correction[]) => Readonly<Record<string, unknown>>;
}

const entriesPerRead = 64;

export class Corrections {
  readonly #options: CorrectionsOptions;

  constructor(options: CorrectionsOptions) {
    this.#options = options;
  }

  /** Every record that was resolved before this offset can be read from the table. */
  writtenOffset(): number {
    return this.#options.writtenOffset();
  }

  /** Newest entry of the log. */
  lastOffset(): number {
    return this.#options.usage.entries.lastOffset();
  }

  /** A value kept by a step's `state`. */
  state(name: string): unknown {
    return this.#options.usage.memory.state(name);
  }

  /**
   * Writes the corrections and the state, or neither. A record that something else was resolved for since it was read
   * is left out.
   * @returns how many were left out; undefined, with nothing written, when the log no longer tells: read again.
   */
  commit(step: CorrectionStep): Promise<number | undefined> {
    return this.#options.between(async (arrivedAtMs) => {
      const { usage, fresh, observe } = this.#options;
      const changed = await this.#changedSince(step.readAtOffset);
      if (changed === undefined) return undefined;
      const made = step.corrections.filter(({ previous }) => !changed.has(identityKey(previous)));
      const records = made.flatMap(({ previous, corrected }) => correctionOf(previous, corrected));
      const entries = splitByDays(records).map((part): UsageEntry => ({ arrivedAtMs, records: part }));
      const offsets = await usage.commit({
        inputOffset: usage.inputOffset(),
        arrivedAtMs,
        entries: entries.map((entry) => ({ partition: 0, payload: encodeUsageEntry(entry) })),
        traces: new Map(),
        wrappers: new Map(),
        state: step.state(made),
      });
      for (const [index, entry] of entries.entries()) fresh.put(offsets[index] ?? 0, entry);
      observe(made.length);
      return step.corrections.length - made.length;
    });
  }

  async #changedSince(offset: number): Promise<ReadonlySet<string> | undefined> {
    const { usage, fresh } = this.#options;
    if (usage.entries.trimmedOffset() > offset) return undefined;
    const changed = new Set<string>();
    for (let after = offset; ; ) {
      const entries = await usage.entries.read(after, entriesPerRead);
      for (const { offset: at, payload } of entries) {
        for (const record of (fresh.get(at) ?? decodeUsageEntry(payload)).records) changed.add(identityKey(record));
        after = at;
      }
      if (entries.length === 0) return changed;
    }
  }
}
