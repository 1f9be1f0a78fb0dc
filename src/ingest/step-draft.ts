/** What one step of the resolver has decided so far: spans taken, records to add, what the index shall remember. */

import type { ParkedEntry } from "../event-log/dead-letter.ts";
import {
  identityKey,
  type ResolverLog,
  type SeenSpan,
  type SeenTrace,
  spanBits,
  spansPerTraceMax,
} from "../event-log/usage-log.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import { takenBack } from "./correction.ts";
import { decideRoles } from "./decide-roles.ts";
import type { HeldTraces } from "./held-traces.ts";
import { type Emitter, seenSpanOf } from "./seen-span.ts";
import { encodeUsageEntry } from "./usage-codec.ts";

/** A record that cannot be decided without what was stored before. */
export interface Undecided {
  readonly record: UsageRecord;
  readonly emitter: Emitter;
}

/** A billed span whose record is to be taken back, and must be found first. */
export interface TakeBack {
  readonly trace: SeenTrace;
  readonly span: SeenSpan;
}

interface Arrival {
  readonly record: UsageRecord;
  readonly span: SeenSpan;
  readonly trace: SeenTrace;
}

export class StepDraft {
  readonly #usage: ResolverLog;
  readonly #held: HeldTraces;
  readonly #horizonMs: number;
  #arrivals: Arrival[] = [];
  /** Spans beyond those that their trace holds together, by `identityKey`. */
  readonly #alone = new Map<string, SeenSpan>();
  /** Spans added, with their records at the same places. Few are asked for again, so they are indexed when one is. */
  readonly #addedSpans: SeenSpan[] = [];
  readonly #addedRecords: UsageRecord[] = [];
  readonly #added = new Map<SeenSpan, UsageRecord>();
  #indexed = 0;
  #lastChanged: { readonly trace: SeenTrace; readonly spans: SeenSpan[] } | undefined;
  readonly records: UsageRecord[] = [];
  readonly traces = new Map<SeenTrace, SeenSpan[]>();
  readonly wrappers = new Map<string, Uint8Array | null>();
  /** Entries that could not be read. */
  readonly parked: ParkedEntry[] = [];
  undecided: Undecided[] = [];
  takeBacks: TakeBack[] = [];
  readonly unknownUsageKeys: string[] = [];
  readonly counts = { spans: 0, repeats: 0, conflicts: 0, corrections: 0, rollups: 0, duplicates: 0 };

  constructor(usage: ResolverLog, held: HeldTraces, horizonMs: number) {
    this.#usage = usage;
    this.#held = held;
    this.#horizonMs = horizonMs;
  }

  /** Takes the record of one span as it arrived. */
  take(record: UsageRecord, emitter: Emitter, arrivedAtMs: number): void {
    const trace = this.#usage.memory.trace(record);
    const seen = this.#seen(trace, record);
    if (seen === undefined) {
      // What began before the index's horizon may have been there and left: the table is asked.
      const old = record.startUs / 1000 < arrivedAtMs - this.#horizonMs;
      if (old || record.revision > 0) this.undecided.push({ record, emitter });
      else this.admit(record, emitter, arrivedAtMs);
    } else if (record.revision <= seen.revision) this.#repeat(seenSpanOf(record, emitter), seen);
    else if (
      (seen.bits & (spanBits.billed | spanBits.stored)) !== 0 ||
      this.#arrivals.some(({ span }) => span === seen)
    )
      this.undecided.push({ record, emitter });
    else this.#replace(seen, trace, { record, emitter }, arrivedAtMs);
  }

  /** A span that was not seen before: billed by `settle`, or held. */
  admit(record: UsageRecord, emitter: Emitter, arrivedAtMs: number): void {
    const trace = this.#usage.memory.trace(record);
    const span = seenSpanOf(record, emitter);
    this.change(trace, span);
    if (trace.spans.size >= spansPerTraceMax) {
      this.#admitAlone(record, span);
      return;
    }
    const known = trace.spans.get(span.spanId);
    if (known !== undefined) span.place = known.place;
    span.bits |= spanBits.arriving;
    trace.spans.set(span.spanId, span);
    this.#arrivals.push({ record, span, trace });
    this.#keepWrapper(record, span, arrivedAtMs);
  }

  /** A call that is in the table, and was forgotten here: what wraps it comes again as well, and must find it. */
  remind(record: UsageRecord, emitter: Emitter): void {
    const trace = this.#usage.memory.trace(record);
    const span = seenSpanOf(record, emitter);
    if ((span.bits & spanBits.wrapper) !== 0 || trace.spans.size >= spansPerTraceMax) return;
    span.bits |= spanBits.stored;
    trace.spans.set(span.spanId, span);
    this.change(trace, span);
  }

  /** Decides the roles in the traces that spans arrived in since the last time. */
  settle(arrivedAtMs: number): void {
    const arrivals = this.#arrivals;
    this.#arrivals = [];
    let decided: SeenTrace | undefined;
    for (const { trace, span } of arrivals) {
      // One decision takes in all that arrived of a trace.
      if (trace === decided || (span.bits & spanBits.arriving) === 0) continue;
      decided = trace;
      const { takeBack, changed, holds } = decideRoles(trace, { quiet: false });
      for (const one of changed) this.change(trace, one);
      for (const one of takeBack) this.takeBacks.push({ trace, span: one });
      if (holds) this.#held.hold(trace, arrivedAtMs);
      else this.#held.release(trace);
    }
    for (const { record, span } of arrivals) {
      if ((span.bits & spanBits.billed) !== 0) this.add(span, record);
      else if ((span.bits & spanBits.wrapper) === 0) this.counts.duplicates++;
      else if ((span.bits & spanBits.held) === 0) this.counts.rollups++;
    }
  }

  add(span: SeenSpan, record: UsageRecord): void {
    this.#addedSpans.push(span);
    this.#addedRecords.push(record);
    this.records.push(record);
  }

  /** The record that this step, or what is kept of wrappers, has of a span. */
  recordOf(span: SeenSpan): UsageRecord | undefined {
    for (; this.#indexed < this.#addedSpans.length; this.#indexed++) {
      const [added, record] = [this.#addedSpans[this.#indexed], this.#addedRecords[this.#indexed]];
      if (added !== undefined && record !== undefined) this.#added.set(added, record);
    }
    return this.#added.get(span);
  }

  /** The step as it is told. */
  resolved() {
    return { ...this.counts, records: this.records, unknownUsageKeys: this.unknownUsageKeys };
  }

  /**
   * Adds what undoes a record, under a revision of our own. A wrapper is kept as it would be billed once more.
   */
  takeBack(record: UsageRecord, span: SeenSpan, arrivedAtMs: number): void {
    const { revision, repricings } = record;
    this.records.push(takenBack(record, { revision: revision + 1, repricings: repricings + 1 }));
    this.counts.corrections++;
    this.#keepWrapper({ ...record, revision: revision + 2, repricings: repricings + 2 }, span, arrivedAtMs);
  }

  /** A repeat whose record is nowhere any more, so that it cannot be taken back: said, and no reason to stop for ever. */
  keepBilled(trace: SeenTrace, span: SeenSpan): void {
    span.bits |= spanBits.billed;
    this.change(trace, span);
    this.counts.conflicts++;
  }

  /** The index shall remember what this span is now. */
  change(trace: SeenTrace, span: SeenSpan): void {
    let spans = this.#lastChanged?.trace === trace ? this.#lastChanged.spans : this.traces.get(trace);
    if (spans === undefined) {
      // A list that begins with its first has room for no more; most stay so.
      spans = [span];
      this.traces.set(trace, spans);
    } else if (spans.at(-1) !== span) spans.push(span);
    if (this.#lastChanged?.trace !== trace) this.#lastChanged = { trace, spans };
  }

  #seen(trace: SeenTrace, record: UsageRecord): SeenSpan | undefined {
    return (
      this.#usage.memory.seen(trace, record.spanId) ??
      (this.#alone.size > 0 ? this.#alone.get(identityKey(record)) : undefined)
    );
  }

  #repeat(claimed: SeenSpan, seen: SeenSpan): void {
    this.counts.repeats++;
    if (seen.revision === claimed.revision && seen.contentHash !== claimed.contentHash) this.counts.conflicts++;
  }

  /** What was not billed is replaced by its correction without a trace in the sums. */
  #replace(seen: SeenSpan, trace: SeenTrace, { record, emitter }: Undecided, arrivedAtMs: number): void {
    Object.assign(seen, seenSpanOf(record, emitter), { place: seen.place });
    seen.bits |= spanBits.arriving;
    this.change(trace, seen);
    this.#arrivals.push({ record, span: seen, trace });
    this.#keepWrapper(record, seen, arrivedAtMs);
  }

  /** Its trace is too large for comparisons: what a provider tells is billed, what may repeat it is not. */
  #admitAlone(record: UsageRecord, span: SeenSpan): void {
    this.#alone.set(identityKey(record), span);
    if ((span.bits & spanBits.wrapper) !== 0) {
      this.counts.rollups++;
      return;
    }
    span.bits |= spanBits.billed;
    this.add(span, record);
  }

  #keepWrapper(record: UsageRecord, span: SeenSpan, arrivedAtMs: number): void {
    if ((span.bits & spanBits.wrapper) === 0) return;
    const key = identityKey(record);
    this.wrappers.set(key, encodeUsageEntry({ arrivedAtMs, records: [record] }));
    this.#held.keep(key, arrivedAtMs);
  }
}
