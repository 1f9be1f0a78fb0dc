/**
 * Spans log in, usage log out: identity, dialect, role, price. Output, identities, state and input offset move in one
 * transaction, so that a restart repeats a step whole or not at all.
 */

import { completenessKeys, finalMarkSpanName } from "../../instrumentation/protocol.ts";
import { dialectOf } from "../dialects/dialects.ts";
import type { LogReader } from "../event-log/event-log.ts";
import { identityKey, type ResolverLog, spanBits, type TraceKey } from "../event-log/usage-log.ts";
import type { Span } from "../model/span.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import type { PriceBook } from "../pricing/price-book.ts";
import { BetweenSteps } from "./between-steps.ts";
import { byPartition } from "./by-partition.ts";
import { Completeness, type CompletenessState } from "./completeness.ts";
import { correctionOf, revised } from "./correction.ts";
import { decideRoles } from "./decide-roles.ts";
import { arrivedAtMsOf } from "./entry-bytes.ts";
import type { FreshEntries } from "./fresh-entries.ts";
import { type HeldLimits, HeldTraces, heldBatchMax, heldLimitsDefault } from "./held-traces.ts";
import { ProducerNumbers } from "./producer-numbers.ts";
import { readEntry } from "./read-entry.ts";
import { seenSpanOf } from "./seen-span.ts";
import { decodeSpansEntry } from "./spans-codec.ts";
import { splitByDays } from "./split-by-days.ts";
import { StepDraft } from "./step-draft.ts";
import type { Wanted } from "./stored-records.ts";
import { decodeUsageEntry, encodeUsageEntry, type UsageEntry } from "./usage-codec.ts";
import { usageRecord } from "./usage-record.ts";

export interface ResolverOptions {
  readonly spans: LogReader;
  readonly usage: ResolverLog;
  /** For consumers in this process; null where there are none. */
  readonly freshUsage: FreshEntries<UsageEntry> | null;
  readonly prices: PriceBook;
  /** The newest revision of records resolved before, wherever they are by now. Rejects soon after `signal` aborts. */
  readonly findStored: (wanted: readonly Wanted[], signal: AbortSignal) => Promise<ReadonlyMap<string, UsageRecord>>;
  readonly now: () => number;
  /** How often the log is told the time; by default each second. */
  readonly tickEveryMs?: number;
  readonly heldLimits?: HeldLimits;
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
  /** Spans that wrap calls told of by others, and calls told of twice: not billed. */
  readonly rollups: number;
  readonly duplicates: number;
  /** Keys of usage families that no dialect has a bucket for, one for each span and key. */
  readonly unknownUsageKeys: readonly string[];
}

/** Spans taken into one step at most; a step is one transaction, and what it holds is alive until it is committed. */
const stepSpansMax = 4096;
/** Spans handled before the event loop gets its turn. */
const sliceSpans = 1024;
/** Without records for this long there is nothing left to resolve by time, so ticks pause. */
const ticksAfterLastRecordMs = 30 * 60_000;
const tickEveryMsDefault = 1000;
const storeRetryMs = 1000;

export class Resolver {
  readonly #options: ResolverOptions;
  readonly #completeness: Completeness;
  readonly #numbers = new ProducerNumbers();
  readonly #stopping = new AbortController();
  readonly #held: HeldTraces;
  readonly #between = new BetweenSteps();
  #lastRecordAtMs: number;
  /** Entries of the usage log never go back in time, though a large export is longer on its way than a small one. */
  #lastEntryAtMs: number;
  /** When the newest span read had arrived; 0 before the first step. */
  #inputArrivedAtMs = 0;
  #running: Promise<void> | undefined;

  constructor(options: ResolverOptions) {
    this.#options = options;
    this.#held = new HeldTraces(options.heldLimits ?? heldLimitsDefault);
    this.#completeness = new Completeness(options.usage.memory.state("completeness") as CompletenessState | undefined);
    this.#lastRecordAtMs = (options.usage.memory.state("last_record_at_ms") as number | undefined) ?? 0;
    this.#lastEntryAtMs = this.#lastRecordAtMs;
    this.#holdAgain();
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
    return this.#between.run(() => {
      this.#lastEntryAtMs = Math.max(this.#options.now(), this.#lastEntryAtMs);
      return work(this.#lastEntryAtMs);
    });
  }

  /** Traces with wrappers that wait to be quiet, and wrappers that are kept. */
  held(): { readonly traces: number; readonly wrappers: number } {
    return this.#held.sizes();
  }

  /** Share of the numbered records that arrived, null where no producer numbers them, or another accounts for them. */
  completeness(): number | null {
    return this.#completeness.share();
  }

  async #run(): Promise<void> {
    const { spans, usage, now, tickEveryMs = tickEveryMsDefault } = this.#options;
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
    const { spans, usage, now } = this.#options;
    const draft = this.#newDraft();
    let inputOffset = after;
    let arrivedAtMs = this.#lastEntryAtMs;
    while (draft.counts.spans < stepSpansMax && spans.lastOffset() > inputOffset) {
      const [entry] = await spans.read(inputOffset, 1);
      if (entry === undefined) break;
      const { parked } = draft;
      const options = { parks: usage.parks, first: inputOffset === after, parked, now };
      const read = readEntry(entry, decodeSpansEntry, options);
      if (read === null) break;
      inputOffset = entry.offset;
      if ("parked" in read) {
        draft.parked.push(read.parked);
        continue;
      }
      const decoded = read.entry;
      arrivedAtMs = Math.max(arrivedAtMs, decoded.arrivedAtMs);
      this.#inputArrivedAtMs = Math.max(this.#inputArrivedAtMs, decoded.arrivedAtMs);
      for (let start = 0; start < decoded.spans.length; start += sliceSpans) {
        if (start > 0) await nextTurn();
        for (const span of decoded.spans.slice(start, start + sliceSpans)) this.#take(span, decoded.arrivedAtMs, draft);
      }
      draft.counts.spans += decoded.spans.length;
      await nextTurn();
    }
    draft.settle(arrivedAtMs);
    if (draft.undecided.length > 0) {
      await this.#decide(draft, arrivedAtMs);
      draft.settle(arrivedAtMs);
    }
    await this.#takeBack(draft, arrivedAtMs);
    await nextTurn();
    await this.#commit(draft, inputOffset, arrivedAtMs);
    await nextTurn();
    await spans.trim(usage.inputOffset());
    this.#options.observe(draft.resolved());
  }

  #newDraft(): StepDraft {
    const { usage, now } = this.#options;
    return new StepDraft(usage, this.#held, usage.memory.identityStats(now()).horizonMs);
  }

  #take(span: Span, arrivedAtMs: number, draft: StepDraft): void {
    this.#number(span);
    if (span.name === finalMarkSpanName) return;
    const reading = dialectOf(span)?.read(span);
    if (reading == null) return;
    if (reading.unknownUsageKeys.length > 0) draft.unknownUsageKeys.push(...reading.unknownUsageKeys);
    const record = usageRecord(span, reading, arrivedAtMs, this.#options.prices);
    draft.take(record, { dialect: reading.dialect, level: reading.level, scope: span.scope }, arrivedAtMs);
  }

  /** Late spans and corrections, the rare ones: compared with what is stored, in the order in which they came. */
  async #decide(draft: StepDraft, arrivedAtMs: number): Promise<void> {
    const { usage } = this.#options;
    const undecided = draft.undecided;
    draft.undecided = [];
    const current = new Map(await this.#findStored(undecided.map(({ record }) => record)));
    for (const { record, emitter } of undecided) {
      const trace = usage.memory.trace(record);
      const seen = usage.memory.seen(trace, record.spanId);
      const previous = (seen === undefined ? undefined : draft.recordOf(seen)) ?? current.get(identityKey(record));
      const corrected = previous === undefined ? null : revised(previous, record);
      if (previous === undefined) draft.admit(record, emitter, arrivedAtMs);
      else if (corrected !== null) {
        draft.counts.corrections++;
        draft.records.push(correctionOf(previous, corrected)[0]);
        const span = { ...seenSpanOf(corrected, emitter), place: seen?.place ?? -1 };
        span.bits |= spanBits.billed;
        trace.spans.set(span.spanId, span);
        draft.change(trace, span);
        draft.add(span, corrected);
      } else {
        draft.counts.repeats++;
        if (seen === undefined) draft.remind(record, emitter);
      }
    }
  }

  /** What a later span showed to be a repeat, and was billed before. */
  async #takeBack(draft: StepDraft, arrivedAtMs: number): Promise<void> {
    const sought = draft.takeBacks.filter(({ span }) => draft.recordOf(span) === undefined);
    const wanted = sought.map(({ trace: { tenant, traceId }, span: { spanId, startUs } }) => ({
      tenant,
      traceId,
      spanId,
      startUs,
    }));
    const stored = wanted.length === 0 ? new Map<string, UsageRecord>() : await this.#findStored(wanted);
    for (const { trace, span } of draft.takeBacks) {
      const identity = { tenant: trace.tenant, traceId: trace.traceId, spanId: span.spanId };
      const record =
        draft.recordOf(span) ?? stored.get(identityKey(identity)) ?? this.#keptWrapper(identityKey(identity));
      if (record === undefined) draft.keepBilled(trace, span);
      else draft.takeBack(record, span, arrivedAtMs);
    }
  }

  #keptWrapper(key: string): UsageRecord | undefined {
    const entry = this.#options.usage.memory.wrapper(key);
    return entry === undefined ? undefined : decodeUsageEntry(entry).records[0];
  }

  /** After a start: what waited goes on waiting. */
  #holdAgain(): void {
    const { usage } = this.#options;
    const kept = Array.from(usage.memory.wrapperKeys(), (key) => ({ key, entry: usage.memory.wrapper(key) }));
    const entries = kept.flatMap(({ key, entry }) =>
      entry === undefined ? [] : [{ key, arrivedAtMs: arrivedAtMsOf(entry) }],
    );
    for (const { key, arrivedAtMs } of entries.sort((a, b) => a.arrivedAtMs - b.arrivedAtMs)) {
      this.#held.keep(key, arrivedAtMs);
      for (const trace of this.#waitingFor(key)) this.#held.hold(trace, arrivedAtMs);
    }
  }

  /** Bills the wrappers of traces that have become quiet, and forgets those that need not be kept any longer. */
  async #decideQuiet(nowMs: number): Promise<void> {
    for (let full = true; full; ) {
      const due = this.#held.due(nowMs);
      const expired = this.#held.expired(nowMs);
      if (due.length === 0 && expired.length === 0) return;
      full = due.length === heldBatchMax || expired.length === heldBatchMax;
      const draft = this.#newDraft();
      // A flood may push out what still waits: it is decided early, and not lost.
      const decided = [...due, ...expired.flatMap((key) => this.#waitingFor(key))];
      for (const key of decided) this.#decideNow(key, draft);
      for (const key of expired) draft.wrappers.set(key, null);
      await this.#takeBack(draft, nowMs);
      await this.#commit(draft, this.#options.usage.inputOffset(), Math.max(nowMs, this.#lastEntryAtMs));
      this.#options.observe(draft.resolved());
      for (const key of decided) this.#held.release(key);
    }
  }

  #decideNow(key: TraceKey, draft: StepDraft): void {
    const trace = this.#options.usage.memory.trace(key);
    const { bill, takeBack, changed } = decideRoles(trace, { quiet: true });
    for (const span of changed) draft.change(trace, span);
    for (const span of takeBack) draft.takeBacks.push({ trace, span });
    for (const span of bill) {
      const record = this.#keptWrapper(identityKey({ ...key, spanId: span.spanId }));
      if (record !== undefined) draft.add(span, record);
    }
  }

  /** The trace of a kept wrapper that is not decided yet. */
  #waitingFor(key: string): readonly TraceKey[] {
    const record = this.#keptWrapper(key);
    if (record === undefined) return [];
    const { tenant, traceId, spanId } = record;
    const bits = this.#options.usage.memory.trace(record).spans.get(spanId)?.bits ?? 0;
    return (bits & spanBits.held) === 0 ? [] : [{ tenant, traceId }];
  }

  /** Tries until the store answers: without it a repeat cannot be told, and what was acknowledged waits in the log. */
  async #findStored(wanted: readonly Wanted[]): Promise<ReadonlyMap<string, UsageRecord>> {
    for (;;) {
      try {
        return await this.#options.findStored(wanted, this.#stopping.signal);
      } catch (error) {
        if (this.#stopping.signal.aborted) throw error;
        await new Promise((resolve) => setTimeout(resolve, storeRetryMs));
      }
    }
  }

  #number(span: Span): void {
    const producer = span.resource[completenessKeys.producer];
    if (typeof producer !== "string") return;
    const account = this.#options.usage.accounts ? this.#completeness : this.#numbers;
    const sequence = span.attributes[completenessKeys.sequence];
    if (isCount(sequence)) account.received(producer, sequence);
    const final = span.attributes[completenessKeys.finalSequence];
    if (isCount(final)) account.final(producer, final);
  }

  async #commit(draft: StepDraft, inputOffset: number, arrivedAtMs: number): Promise<void> {
    const { usage } = this.#options;
    const entries = byPartition(draft.records, usage.partitions).flatMap(({ partition, records }) =>
      splitByDays(records).map((part) => ({ partition, entry: { arrivedAtMs, records: part } })),
    );
    this.#lastEntryAtMs = arrivedAtMs;
    if (draft.records.length > 0) this.#lastRecordAtMs = arrivedAtMs;
    const encoded = entries.map(({ partition, entry }) => ({ partition, payload: encodeUsageEntry(entry) }));
    // Encoding and putting a full step are a dozen milliseconds each.
    if (draft.records.length > sliceSpans) await nextTurn();
    const offsets = await usage.commit({
      inputOffset,
      arrivedAtMs,
      inputArrivedAtMs: this.#inputArrivedAtMs,
      entries: encoded,
      traces: draft.traces,
      wrappers: draft.wrappers,
      state: {
        ...(usage.accounts ? { completeness: this.#completeness.state() } : {}),
        last_record_at_ms: this.#lastRecordAtMs,
      },
      numbers: this.#numbers.take(),
      parked: draft.parked,
    });
    for (const [index, { entry }] of entries.entries()) this.#options.freshUsage?.put(offsets[index] ?? 0, entry);
  }

  /** Tells the consumers the time through the log itself, so that the same log always gives the same findings. */
  async #tick(): Promise<void> {
    const { usage, freshUsage, now } = this.#options;
    const arrivedAtMs = Math.max(now(), this.#lastEntryAtMs);
    await this.#decideQuiet(arrivedAtMs);
    if (arrivedAtMs - this.#lastRecordAtMs > ticksAfterLastRecordMs) return;
    this.#lastEntryAtMs = arrivedAtMs;
    const entry: UsageEntry = { arrivedAtMs, records: [] };
    const payload = encodeUsageEntry(entry);
    const [offset = 0] = await usage.commit({
      inputOffset: usage.inputOffset(),
      arrivedAtMs,
      entries: usage.clockOf.map((partition) => ({ partition, payload })),
      traces: new Map(),
      wrappers: new Map(),
      state: {},
    });
    freshUsage?.put(offset, entry);
  }
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
