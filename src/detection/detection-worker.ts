/**
 * Follows the usage log and says what is unusual. Its state is saved with the offset it belongs to, and all its time
 * comes from the log, so that the same log gives the same findings, before or after a restart.
 */

import { detectors } from "../../detectors/detectors.ts";
import type { UsageLog } from "../event-log/usage-log.ts";
import type { Finding } from "../model/finding.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import type { DetectorChoices } from "./detector-plan.ts";
import { differences } from "./differences.ts";
import { Watcher } from "./watcher.ts";

/** One entry of the usage log: records that arrived together, or none, when it only tells the time. */
export interface WatchedEntry {
  readonly arrivedAtMs: number;
  readonly records: readonly UsageRecord[];
}

export interface DetectionOptions {
  readonly usage: UsageLog;
  readonly decode: (offset: number, payload: Uint8Array) => WatchedEntry;
  /** What the operator says about single detectors. */
  readonly choices: DetectorChoices;
  /** Series kept at most, and as many runs, sessions and users; the smallest are forgotten first. */
  readonly seriesMax: number;
  readonly saveEveryMs: number;
  readonly now: () => number;
  /** Takes the findings of one entry. May be called again for an entry after a restart: the offset tells. */
  readonly report: (findings: readonly Finding[], offset: number) => Promise<void>;
}

interface DetectionState {
  readonly version: 2;
  readonly offset: number;
  /** A watcher's snapshot. */
  readonly watcher: Uint8Array;
}

const markName = "detection";
const entriesPerRead = 64;
/** Saving takes at most this share of the time: with many series it comes less often, and a restart reads more. */
const savingShareMax = 0.05;
const recordsPerTurn = 2048;

export class DetectionWorker {
  readonly #options: DetectionOptions;
  readonly #stopping = new AbortController();
  readonly #watcher: Watcher;
  #offset: number;
  #savedOffset: number;
  #nextSaveMs = 0;
  #running: Promise<void> | undefined;

  constructor(options: DetectionOptions) {
    this.#options = options;
    const mark = options.usage.mark(markName) as DetectionState | undefined;
    // A state of an older version is not read: its baselines begin anew with what the log still has.
    const saved = mark?.version === 2 ? mark : undefined;
    this.#offset = saved?.offset ?? 0;
    this.#savedOffset = this.#offset;
    const { choices, seriesMax } = options;
    this.#watcher = new Watcher({ detectors, choices, limits: { seriesMax, passingMax: seriesMax } }, saved?.watcher);
  }

  start(): { failed: Promise<void> } {
    this.#running = this.#run();
    return { failed: this.#running };
  }

  /** Finishes the entry at hand and saves the state. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running?.catch(() => undefined);
    await this.#save();
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
    return this.#watcher.seriesCount;
  }

  async #run(): Promise<void> {
    const { usage, decode, now } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await usage.entries.waitFor(this.#offset, signal);
      for (const { offset, payload } of usage.entries.read(this.#offset, entriesPerRead)) {
        const entry = decode(offset, payload);
        const findings = await this.#judge(entry);
        if (findings.length > 0) await this.#options.report(findings, offset);
        this.#offset = offset;
        if (signal.aborted) return;
      }
      if (now() >= this.#nextSaveMs) await this.#save();
    }
  }

  async #judge(entry: WatchedEntry): Promise<readonly Finding[]> {
    if (entry.records.length === 0) return this.#watcher.tick(entry.arrivedAtMs);
    const findings: Finding[] = [];
    for (const [index, record] of differences(entry.records).entries()) {
      if (index > 0 && index % recordsPerTurn === 0) await new Promise((resolve) => setImmediate(resolve));
      for (const finding of this.#watcher.observe(record, entry.arrivedAtMs)) findings.push(finding);
    }
    return findings;
  }

  async #save(): Promise<void> {
    if (this.#offset === this.#savedOffset) return;
    const { now, saveEveryMs, usage } = this.#options;
    const startedMs = now();
    const state: DetectionState = { version: 2, offset: this.#offset, watcher: this.#watcher.snapshot() };
    await usage.saveMark(markName, state);
    this.#savedOffset = state.offset;
    this.#nextSaveMs = now() + Math.max(saveEveryMs, (now() - startedMs) / savingShareMax);
  }
}
