/**
 * Follows the usage log and says what is unusual. Its state is saved with the offset it belongs to, and all its time
 * comes from the log, so that the same log gives the same findings, before or after a restart.
 */

import type { LogEntry, LogReader } from "../event-log/event-log.ts";
import { checkVersion } from "../event-log/unreadable-entry.ts";
import type { Marks } from "../event-log/usage-log.ts";
import type { Finding } from "../model/finding.ts";
import type { Judge, OpenJudge } from "./judge.ts";

export interface DetectionOptions<Told = Finding> {
  readonly usage: Marks & { readonly entries: LogReader };
  readonly judge: OpenJudge<Told>;
  readonly saveEveryMs: number;
  readonly now: () => number;
  /** Takes what is told of one entry. May be called again for an entry after a restart: the offset tells. */
  readonly report: (told: readonly Told[], offset: number) => Promise<void>;
}

const version = 4;

interface DetectionState {
  readonly version: typeof version;
  readonly offset: number;
  /** A watcher's snapshot. */
  readonly watcher: Uint8Array;
}

const markName = "detection";
const entriesPerRead = 64;
/** Saving takes at most this share of the time: with many series it comes less often, and a restart reads more. */
const savingShareMax = 0.05;

export class DetectionWorker<Told = Finding> {
  readonly #options: DetectionOptions<Told>;
  readonly #stopping = new AbortController();
  readonly #judge: Judge<Told>;
  #offset: number;
  #savedOffset: number;
  #nextSaveMs = 0;
  #running: Promise<void> | undefined;

  /** @throws OtherVersionEntry where a newer version has kept the state: baselines are not forgotten for one that goes back. */
  constructor(options: DetectionOptions<Told>) {
    this.#options = options;
    const mark = options.usage.mark(markName) as DetectionState | undefined;
    if (mark !== undefined) checkVersion("the state of the detectors", mark.version, version);
    // A state of an older version is not read: its baselines begin anew with what the log still has.
    const saved = mark?.version === version ? mark : undefined;
    this.#offset = saved?.offset ?? 0;
    this.#savedOffset = this.#offset;
    this.#judge = options.judge(saved?.watcher);
  }

  start(): { failed: Promise<void> } {
    this.#running = this.#run();
    return { failed: this.#running };
  }

  /** Finishes the entry at hand and saves the state. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running?.catch(() => undefined);
    await this.#save().finally(() => this.#judge.close());
  }

  /** Every entry up to here has been judged. */
  offset(): number {
    return this.#offset;
  }

  /** Entries up to here are no longer needed after a restart. */
  savedOffset(): number {
    return this.#savedOffset;
  }

  seriesCount(): number {
    return this.#judge.seriesCount();
  }

  async #run(): Promise<void> {
    const { usage, now } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await usage.entries.waitFor(this.#offset, signal);
      const entries = await usage.entries.read(this.#offset, entriesPerRead);
      if (entries.length > 0) await this.#take(entries);
      if (now() >= this.#nextSaveMs) await this.#save();
    }
  }

  async #take(entries: readonly LogEntry[]): Promise<void> {
    const told = await this.#judge.judge(entries);
    for (const [index, { offset }] of entries.entries()) {
      const ofEntry = told[index] ?? [];
      if (ofEntry.length > 0) await this.#options.report(ofEntry, offset);
    }
    this.#offset = entries.at(-1)?.offset ?? this.#offset;
  }

  async #save(): Promise<void> {
    if (this.#offset === this.#savedOffset) return;
    const { now, saveEveryMs, usage } = this.#options;
    const startedMs = now();
    const state: DetectionState = { version, offset: this.#offset, watcher: await this.#judge.snapshot() };
    await usage.saveMark(markName, state);
    this.#savedOffset = state.offset;
    this.#nextSaveMs = now() + Math.max(saveEveryMs, (now() - startedMs) / savingShareMax);
  }
}
