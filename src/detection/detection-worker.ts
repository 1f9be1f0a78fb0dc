/**
 * Follows the usage log and says what is unusual. Its state is saved with the offset it belongs to, and all its time
 * comes from the log, so that the same log gives the same findings, before or after a restart.
 */

import { defaultSpendSettings, type SpendSettings } from "../../detectors/spend-per-minute.ts";
import type { UsageLog } from "../event-log/usage-log.ts";
import type { Finding, Series } from "../model/finding.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import { newSeriesWatch, type SeriesWatch, watchClock, watchRecord } from "./series-watch.ts";

/** One entry of the usage log: records that arrived together, or none, when it only tells the time. */
export interface WatchedEntry {
  readonly arrivedAtMs: number;
  readonly records: readonly UsageRecord[];
}

export interface DetectionOptions {
  readonly usage: UsageLog;
  readonly decode: (offset: number, payload: Uint8Array) => WatchedEntry;
  readonly settings?: SpendSettings;
  /** Series kept at most; the one silent for longest is forgotten first. */
  readonly seriesMax: number;
  readonly saveEveryMs: number;
  readonly now: () => number;
  /** Takes the findings of one entry. May be called again for an entry after a restart: the offset tells. */
  readonly report: (findings: readonly Finding[], offset: number) => Promise<void>;
}

interface DetectionState {
  readonly version: 1;
  readonly offset: number;
  readonly watches: readonly SeriesWatch[];
}

const markName = "detection";
const entriesPerRead = 64;
/** A series without arrivals for this long is closed by the log's clock instead of by its own records. */
const quietMs = 60_000;
const recordsPerTurn = 2048;

export class DetectionWorker {
  readonly #options: DetectionOptions;
  readonly #settings: SpendSettings;
  readonly #stopping = new AbortController();
  readonly #watches = new Map<string, SeriesWatch>();
  #offset: number;
  #savedOffset: number;
  #savedAtMs = 0;
  #running: Promise<void> | undefined;

  constructor(options: DetectionOptions) {
    this.#options = options;
    this.#settings = options.settings ?? defaultSpendSettings;
    const saved = options.usage.mark(markName) as DetectionState | undefined;
    this.#offset = saved?.offset ?? 0;
    this.#savedOffset = this.#offset;
    for (const watch of saved?.watches ?? []) this.#watches.set(seriesKey(watch.series), watch);
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
    return this.#watches.size;
  }

  async #run(): Promise<void> {
    const { usage, decode, now, saveEveryMs } = this.#options;
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
      if (now() - this.#savedAtMs >= saveEveryMs) await this.#save();
    }
  }

  async #judge(entry: WatchedEntry): Promise<readonly Finding[]> {
    const findings: Finding[] = [];
    const note = (finding: Finding | null) => {
      if (finding !== null) findings.push(finding);
    };
    for (const [index, record] of entry.records.entries()) {
      if (index > 0 && index % recordsPerTurn === 0) await new Promise((resolve) => setImmediate(resolve));
      for (const series of seriesOf(record)) {
        const watch = this.#watch(series);
        note(watchRecord(watch, record, entry.arrivedAtMs, this.#settings));
      }
    }
    if (entry.records.length === 0) {
      for (const watch of this.#watches.values()) {
        if (entry.arrivedAtMs - watch.lastArrivalMs < quietMs) continue;
        note(watchClock(watch, entry.arrivedAtMs, this.#settings));
      }
    }
    return findings;
  }

  #watch(series: Series): SeriesWatch {
    const key = seriesKey(series);
    const known = this.#watches.get(key);
    if (known !== undefined) return known;
    if (this.#watches.size >= this.#options.seriesMax) this.#forgetSilent();
    const watch = newSeriesWatch(series);
    this.#watches.set(key, watch);
    return watch;
  }

  /** Forgets the quietest tenth at once, so that a flood of new names costs no search per name. */
  #forgetSilent(): void {
    const bySilence = [...this.#watches].sort(([, a], [, b]) => a.lastArrivalMs - b.lastArrivalMs);
    for (const [key] of bySilence.slice(0, Math.ceil(bySilence.length / 10))) this.#watches.delete(key);
  }

  async #save(): Promise<void> {
    if (this.#offset === this.#savedOffset) return;
    const state: DetectionState = { version: 1, offset: this.#offset, watches: [...this.#watches.values()] };
    this.#savedAtMs = this.#options.now();
    await this.#options.usage.saveMark(markName, state);
    this.#savedOffset = state.offset;
  }
}

/** The series a record belongs to: its feature, where it names one, else its tenant. */
function seriesOf(record: UsageRecord): readonly Series[] {
  return record.feature === "" ? [{ tenant: record.tenant }] : [{ tenant: record.tenant, feature: record.feature }];
}

function seriesKey(series: Series): string {
  return `${series.tenant}\n${series.feature ?? ""}\n${series.model ?? ""}`;
}
