/**
 * Spans log in, usage log out: identity, dialect, role, price. Output, identities, state and input offset move in one
 * transaction, so that a restart repeats a step whole or not at all.
 */

import { completenessKeys, finalMarkSpanName } from "../../instrumentation/protocol.ts";
import { dialectOf } from "../dialects/dialects.ts";
import type { EventLog } from "../event-log/event-log.ts";
import type { Identity, Seen, UsageLog } from "../event-log/usage-log.ts";
import type { Span } from "../model/span.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import type { PriceBook } from "../pricing/price-book.ts";
import { BetweenSteps } from "./between-steps.ts";
import { Completeness, type CompletenessState } from "./completeness.ts";
import { contentHash } from "./content-hash.ts";
import { correctionOf, revised } from "./correction.ts";
import type { FreshEntries } from "./fresh-entries.ts";
import { decodeSpansEntry, encodeEntry, type SpansEntry, type UsageEntry } from "./log-codec.ts";
import { splitByDays } from "./split-by-days.ts";
import { identityKey, type Wanted } from "./stored-records.ts";
import { usageRecord } from "./usage-record.ts";

export interface ResolverOptions {
  readonly spans: EventLog;
  readonly usage: UsageLog;
  readonly freshSpans: FreshEntries<SpansEntry>;
  readonly freshUsage: FreshEntries<UsageEntry>;
  readonly prices: PriceBook;
  /** The newest revision of records resolved before, wherever they are by now. */
  readonly findStored: (wanted: readonly Wanted[]) => Promise<ReadonlyMap<string, UsageRecord>>;
  readonly now: () => number;
  /** Told after each committed step. */
  readonly observe: (step: ResolvedStep) => void;
}

export interface ResolvedStep {
  readonly spans: number;
  readonly records: readonly UsageRecord[];
  readonly repeats: number;
  /** Repeats that claimed other tokens or cost without being marked as a correction: dropped. */
  readonly conflicts: number;
  readonly corrections: number;
}

/** Spans taken into one step at most; a step is one transaction. */
const stepSpansMax = 8192;
/** Spans handled before the event loop gets its turn. */
const sliceSpans = 1024;
/** Without records for this long there is nothing left to resolve by time, so ticks pause. */
const ticksAfterLastRecordMs = 30 * 60_000;
const tickEveryMs = 1000;
const storeRetryMs = 1000;

interface Draft {
  readonly horizonMs: number;
  readonly records: UsageRecord[];
  /** Identities seen in this step, with what to remember of them. */
  readonly identities: Map<string, [Identity, Seen]>;
  /** Records that cannot be decided without what was stored before. */
  readonly undecided: UsageRecord[];
  spans: number;
  repeats: number;
  conflicts: number;
  corrections: number;
}

export class Resolver {
  readonly #options: ResolverOptions;
  readonly #completeness: Completeness;
  readonly #stopping = new AbortController();
  readonly #between = new BetweenSteps();
  #lastRecordAtMs: number;
  #running: Promise<void> | undefined;

  constructor(options: ResolverOptions) {
    this.#options = options;
    this.#completeness = new Completeness(options.usage.state("completeness") as CompletenessState | undefined);
    this.#lastRecordAtMs = (options.usage.state("last_record_at_ms") as number | undefined) ?? 0;
  }

  /** Begins to work; the promise of `failed` rejects when the log can no longer be read or written. */
  start(): { failed: Promise<void> } {
    this.#running = this.#run();
    return { failed: this.#running };
  }

  /** Finishes the step at hand. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running?.catch(() => undefined);
    this.#between.close();
  }

  /**
   * Runs `work` between two steps, when nothing else is committed: what corrects records that are resolved already.
   * It is given the time of the entries that it may append.
   */
  between<Result>(work: (arrivedAtMs: number) => Promise<Result>): Promise<Result> {
    return this.#between.run(() => work(this.#options.now()));
  }

  /** Share of the numbered records that arrived, null where no producer numbers them. */
  completeness(): number | null {
    return this.#completeness.share();
  }

  async #run(): Promise<void> {
    const { spans, usage, now } = this.#options;
    let tickDueMs = now() + tickEveryMs;
    while (!this.#stopping.signal.aborted) {
      const after = usage.inputOffset();
      await this.#between.runAll();
      const due = AbortSignal.timeout(Math.max(1, tickDueMs - now()));
      const wait = AbortSignal.any([this.#stopping.signal, due, this.#between.asked()]);
      if (spans.lastOffset() <= after) await spans.waitFor(after, wait);
      if (spans.lastOffset() > after) await this.#step(after);
      if (now() >= tickDueMs) {
        tickDueMs = now() + tickEveryMs;
        await this.#tick();
      }
    }
  }

  async #step(after: number): Promise<void> {
    const { spans, usage, freshSpans } = this.#options;
    const draft = newDraft(usage.identityStats(this.#options.now()).horizonMs);
    let inputOffset = after;
    let arrivedAtMs = 0;
    while (draft.spans < stepSpansMax) {
      const [entry] = spans.read(inputOffset, 1);
      if (entry === undefined) break;
      const decoded = freshSpans.get(entry.offset) ?? decodeSpansEntry(entry.payload);
      arrivedAtMs = Math.max(arrivedAtMs, decoded.arrivedAtMs);
      for (let start = 0; start < decoded.spans.length; start += sliceSpans) {
        if (start > 0) await nextTurn();
        for (const span of decoded.spans.slice(start, start + sliceSpans)) this.#take(span, decoded.arrivedAtMs, draft);
      }
      draft.spans += decoded.spans.length;
      inputOffset = entry.offset;
      await nextTurn();
    }
    await this.#decide(draft);
    await this.#commit(draft, inputOffset, arrivedAtMs);
    freshSpans.forget(inputOffset);
    await spans.trim(usage.inputOffset());
    const { spans: taken, records, repeats, conflicts, corrections } = draft;
    this.#options.observe({ spans: taken, records, repeats, conflicts, corrections });
  }

  #take(span: Span, arrivedAtMs: number, draft: Draft): void {
    this.#number(span);
    if (span.name === finalMarkSpanName) return;
    const reading = dialectOf(span)?.read(span);
    if (reading == null) return;
    const record = usageRecord(span, reading, arrivedAtMs, this.#options.prices);
    const seen = draft.identities.get(identityKey(record))?.[1] ?? this.#options.usage.seen(record);
    if (seen === undefined) {
      // What began before the index's horizon may have been there and left: the table is asked.
      const old = record.startUs / 1000 < arrivedAtMs - draft.horizonMs;
      if (old || record.revision > 0) draft.undecided.push(record);
      else keep(draft, record);
    } else if (record.revision > seen.revision) draft.undecided.push(record);
    else {
      draft.repeats++;
      if (seen.revision === record.revision && seen.contentHash !== contentHash(record)) draft.conflicts++;
    }
  }

  /** Late spans and corrections, the rare ones: compared with what is stored, in the order in which they came. */
  async #decide(draft: Draft): Promise<void> {
    if (draft.undecided.length === 0) return;
    const stored = await this.#findStored(draft.undecided);
    const current = new Map(stored);
    for (const record of draft.records) current.set(identityKey(record), record);
    for (const record of draft.undecided) {
      const previous = current.get(identityKey(record));
      const corrected = previous === undefined ? record : revised(previous, record);
      if (corrected === null) {
        draft.repeats++;
        continue;
      }
      if (previous !== undefined) {
        draft.corrections++;
        draft.records.push(correctionOf(previous, corrected)[0]);
      }
      keep(draft, corrected);
      current.set(identityKey(record), corrected);
    }
  }

  /** Tries until the store answers: without it a repeat cannot be told, and what was acknowledged waits in the log. */
  async #findStored(wanted: readonly Wanted[]): Promise<ReadonlyMap<string, UsageRecord>> {
    for (;;) {
      try {
        return await this.#options.findStored(wanted);
      } catch (error) {
        if (this.#stopping.signal.aborted) throw error;
        await new Promise((resolve) => setTimeout(resolve, storeRetryMs));
      }
    }
  }

  #number(span: Span): void {
    const producer = span.resource[completenessKeys.producer];
    if (typeof producer !== "string") return;
    const sequence = span.attributes[completenessKeys.sequence];
    if (isCount(sequence)) this.#completeness.received(producer, sequence);
    const final = span.attributes[completenessKeys.finalSequence];
    if (isCount(final)) this.#completeness.final(producer, final);
  }

  async #commit(draft: Draft, inputOffset: number, arrivedAtMs: number): Promise<void> {
    const { usage, freshUsage } = this.#options;
    const entries: UsageEntry[] = splitByDays(draft.records).map((records) => ({ version: 1, arrivedAtMs, records }));
    if (draft.records.length > 0) this.#lastRecordAtMs = arrivedAtMs;
    const offsets = await usage.commit({
      inputOffset,
      arrivedAtMs,
      entries: entries.map(encodeEntry),
      identities: [...draft.identities.values()],
      state: { completeness: this.#completeness.state(), last_record_at_ms: this.#lastRecordAtMs },
    });
    for (const [index, entry] of entries.entries()) freshUsage.put(offsets[index] ?? 0, entry);
  }

  /** Tells the consumers the time through the log itself, so that the same log always gives the same findings. */
  async #tick(): Promise<void> {
    const { usage, freshUsage, now } = this.#options;
    const arrivedAtMs = now();
    if (arrivedAtMs - this.#lastRecordAtMs > ticksAfterLastRecordMs) return;
    const entry: UsageEntry = { version: 1, arrivedAtMs, records: [] };
    const [offset = 0] = await usage.commit({
      inputOffset: usage.inputOffset(),
      arrivedAtMs,
      entries: [encodeEntry(entry)],
      identities: [],
      state: {},
    });
    freshUsage.put(offset, entry);
  }
}

function newDraft(horizonMs: number): Draft {
  return {
    horizonMs,
    records: [],
    identities: new Map(),
    undecided: [],
    spans: 0,
    repeats: 0,
    conflicts: 0,
    corrections: 0,
  };
}

function keep(draft: Draft, record: UsageRecord): void {
  const { tenant, traceId, spanId } = record;
  // What the emitter calls it: re-pricing raises the stored revision, and the emitter does not know.
  const revision = record.revision - record.repricings;
  draft.identities.set(identityKey(record), [
    { tenant, traceId, spanId },
    { revision, contentHash: contentHash(record) },
  ]);
  draft.records.push(record);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
