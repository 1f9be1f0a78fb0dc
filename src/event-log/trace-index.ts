/**
 * The exact index of spans that were seen, by trace, in generations: a generation covers a span of arrival time, and the
 * oldest is dropped whole, so that forgetting costs no search. On disk a span takes 52 bytes, a trace 22 of key and some
 * 10 of the tree.
 */

import type { Database, RootDatabase } from "lmdb";
import { writeHex } from "./hex-id.ts";
import { decodeSeenSpan, encodeSeenSpans, seenSpanBytes } from "./seen-span-codec.ts";
import { TraceFilter } from "./trace-filter.ts";
import { type IdentityStats, type SeenSpan, type SeenTrace, spansPerTraceMax, type TraceKey } from "./usage-log.ts";

export interface TraceIndexOptions {
  /** Every span is known for at least this long by arrival, unless `entriesMax` cuts it. */
  readonly horizonMs: number;
  readonly entriesMax: number;
}

interface Generation {
  readonly number: number;
  readonly startedAtMs: number;
  entries: number;
}

/** A trace in memory: what is known, and which of it stands where in the generation that is being filled. */
interface LoadedTrace extends SeenTrace {
  generation: number;
  stored: SeenSpan[];
}

/** Two generations cover one horizon; with the one that is filling, three exist. */
const generationsPerHorizon = 2;
const generationsMax = generationsPerHorizon + 1;
const slots = generationsMax + 1;
const generationsMark = "trace.generations";
/** Once all of them stood under this name; now some under each number. */
const tenantsMark = "trace.tenants";
/** Tenants under one key: a new one writes these few again, not all that there ever were. */
const tenantsPerMark = 64;
/** Spans under one key: a trace that grows writes the last few of its spans again, not all of them. */
const spansPerChunk = 32;
/** Stands before the ids of spans that are known one by one. */
const aloneChunk = 0xffff;
/** Traces of so many spans are kept in memory, with so many in all, some 400 bytes each; the oldest goes first. */
const longFrom = 16;
const loadedSpansMax = 100_000;

export class TraceIndex {
  readonly #options: TraceIndexOptions;
  readonly #marks: Database<unknown, string>;
  readonly #databases: readonly Database<Buffer, Buffer>[];
  readonly #tenants: Map<string, number>;
  /** Those of the last key. */
  #newTenants: [string, number][] = [];
  /** Oldest first; the last one is being filled. */
  #generations: Generation[];
  #shortened = false;
  readonly #loaded = new Map<string, LoadedTrace>();
  /** Those of further tenants in the same trace, each of which holds what a step has not saved yet: by both. */
  readonly #shared = new Map<string, LoadedTrace>();
  #last: LoadedTrace | undefined;
  readonly #key = Buffer.alloc(22);
  /** Of the generations that began in this process: what is not in there need not be read. */
  readonly #filters = new Map<number, TraceFilter>();

  constructor(environment: RootDatabase, options: TraceIndexOptions) {
    this.#options = options;
    this.#marks = environment.openDB({ name: "index" });
    this.#databases = Array.from({ length: slots }, (_, slot) =>
      environment.openDB({ name: `traces-${slot}`, encoding: "binary", keyEncoding: "binary" }),
    );
    this.#generations = (this.#marks.get(generationsMark) as Generation[] | undefined) ?? [];
    this.#tenants = new Map(this.#knownTenants());
  }

  trace({ tenant, traceId }: TraceKey): SeenTrace {
    const last = this.#last;
    if (last !== undefined && last.traceId === traceId && last.tenant === tenant) return last;
    const known = this.#loaded.get(traceId);
    const trace = known === undefined || known.tenant === tenant ? known : this.#shared.get(sharedKey(tenant, traceId));
    this.#last = trace ?? this.#load({ tenant, traceId });
    if (known === undefined) this.#loaded.set(traceId, this.#last);
    else if (trace === undefined) this.#shared.set(sharedKey(tenant, traceId), this.#last);
    return this.#last;
  }

  seen(trace: SeenTrace, spanId: string): SeenSpan | undefined {
    const known = trace.spans.get(spanId);
    if (known !== undefined || trace.spans.size < spansPerTraceMax) return known;
    const tenant = this.#tenants.get(trace.tenant);
    if (tenant === undefined) return undefined;
    const key = this.#aloneKey(tenant, trace.traceId, spanId);
    for (const { number } of this.#generations.toReversed()) {
      const value = this.#database(number).get(key);
      if (value !== undefined) return decodeSeenSpan(value, 0);
    }
    return undefined;
  }

  /** Puts spans into the transaction that is being collected. Call it inside the step's batch. */
  save(traces: ReadonlyMap<SeenTrace, readonly SeenSpan[]>, arrivedAtMs: number): void {
    this.#unload();
    if (traces.size === 0) return;
    let adding = 0;
    for (const changed of traces.values()) adding += changed.length;
    const generation = this.#fillingGeneration(adding, arrivedAtMs);
    for (const [trace, changed] of traces) this.#saveTrace(trace as LoadedTrace, changed, generation);
    this.#marks.put(generationsMark, this.#generations);
  }

  stats(nowMs: number): IdentityStats {
    const entries = this.#generations.reduce((sum, generation) => sum + generation.entries, 0);
    const oldest = this.#generations[0]?.startedAtMs ?? nowMs;
    const complete = this.#generations.length < generationsMax && !this.#shortened;
    const horizonMs = complete ? this.#options.horizonMs : Math.min(this.#options.horizonMs, nowMs - oldest);
    return { entries, entriesMax: this.#options.entriesMax, horizonMs, shortened: this.#shortened };
  }

  #load({ tenant, traceId }: TraceKey): LoadedTrace {
    const trace: LoadedTrace = { tenant, traceId, spans: new Map(), generation: -1, stored: [] };
    const number = this.#tenants.get(tenant);
    if (number === undefined) return trace;
    for (const generation of this.#generations) {
      if (generation.entries === 0 || this.#filters.get(generation.number)?.mayHave(number, traceId) === false)
        continue;
      const stored = this.#read(generation.number, number, traceId);
      // What a later generation says of a span is newer.
      for (const span of stored) trace.spans.set(span.spanId, span);
      if (generation === this.#generations.at(-1)) {
        trace.generation = generation.number;
        trace.stored = stored;
        for (const [place, span] of stored.entries()) span.place = place;
      }
    }
    return trace;
  }

  #read(generation: number, tenant: number, traceId: string): SeenSpan[] {
    const spans: SeenSpan[] = [];
    for (let chunk = 0; ; chunk++) {
      const value = this.#database(generation).get(this.#fillKey(tenant, traceId, chunk));
      if (value === undefined) return spans;
      for (let at = 0; at < value.length; at += seenSpanBytes) spans.push(decodeSeenSpan(value, at));
      if (value.length < spansPerChunk * seenSpanBytes) return spans;
    }
  }

  #saveTrace(trace: LoadedTrace, changed: readonly SeenSpan[], generation: Generation): void {
    const isNew = trace.generation !== generation.number;
    if (isNew) {
      trace.generation = generation.number;
      trace.stored = [];
      for (const span of trace.spans.values()) span.place = -1;
    }
    const chunks: number[] = [];
    const tenant = this.#tenantNumber(trace.tenant);
    if (isNew) this.#filters.get(generation.number)?.add(tenant, trace.traceId);
    for (const span of changed) {
      if (!trace.spans.has(span.spanId)) {
        this.#database(generation.number).put(
          this.#aloneKey(tenant, trace.traceId, span.spanId),
          encodeSeenSpans([span]),
        );
        generation.entries++;
        continue;
      }
      if (span.place === -1) {
        span.place = trace.stored.push(span) - 1;
        generation.entries++;
      } else trace.stored[span.place] = span;
      const chunk = Math.floor(span.place / spansPerChunk);
      if (chunks.at(-1) !== chunk) chunks.push(chunk);
    }
    for (const chunk of chunks) {
      const from = chunk * spansPerChunk;
      const to = Math.min(from + spansPerChunk, trace.stored.length);
      // The key is copied at once, the value when the transaction is written.
      const key = this.#fillKey(tenant, trace.traceId, chunk);
      this.#database(generation.number).put(key, encodeSeenSpans(trace.stored, from, to));
    }
  }

  /**
   * Once a step is saved nobody holds a trace. Most are complete by then, and all of them in memory would grow old there, which
   * is what collections are slowest at; those of many spans are sessions, which come again and are much to read.
   */
  #unload(): void {
    // It may be one of those that go, and a second object of one trace must never be.
    this.#last = undefined;
    this.#shared.clear();
    let kept = 0;
    for (const [name, { spans }] of this.#loaded) {
      if (spans.size < longFrom) this.#loaded.delete(name);
      else kept += spans.size;
    }
    for (const [name, { spans }] of this.#loaded) {
      if (kept <= loadedSpansMax) return;
      this.#loaded.delete(name);
      kept -= spans.size;
    }
  }

  #fillKey(tenant: number, traceId: string, chunk: number): Buffer {
    this.#key.writeUInt32BE(tenant, 0);
    writeHex(this.#key, 4, 16, traceId);
    this.#key.writeUInt16BE(chunk, 20);
    return this.#key;
  }

  #aloneKey(tenant: number, traceId: string, spanId: string): Buffer {
    return Buffer.concat([this.#fillKey(tenant, traceId, aloneChunk), Buffer.from(spanId, "hex")]);
  }

  #database(generation: number): Database<Buffer, Buffer> {
    const database = this.#databases[generation % slots];
    if (database === undefined) throw new Error(`trace generation ${generation} has no database`);
    return database;
  }

  #tenantNumber(tenant: string): number {
    const known = this.#tenants.get(tenant);
    if (known !== undefined) return known;
    const number = this.#tenants.size;
    this.#tenants.set(tenant, number);
    const mark = `${tenantsMark}.${Math.floor(number / tenantsPerMark)}`;
    if (number % tenantsPerMark === 0) this.#newTenants = [];
    this.#newTenants.push([tenant, number]);
    this.#marks.put(mark, this.#newTenants);
    return number;
  }

  #knownTenants(): [string, number][] {
    const tenants: [string, number][] = [];
    const before = (this.#marks.get(tenantsMark) as [string, number][] | undefined) ?? [];
    const at = (number: number) =>
      this.#marks.get(`${tenantsMark}.${Math.floor(number / tenantsPerMark)}`) as [string, number][] | undefined;
    tenants.push(...before);
    this.#newTenants = at(tenants.length) ?? [];
    for (let some = this.#newTenants; some.length > 0; some = at(tenants.length) ?? []) {
      const fresh = some.filter(([, number]) => number >= tenants.length);
      if (fresh.length === 0) break;
      tenants.push(...fresh);
      this.#newTenants = some;
    }
    if (tenants.length % tenantsPerMark === 0) this.#newTenants = [];
    return tenants;
  }

  #fillingGeneration(adding: number, arrivedAtMs: number): Generation {
    const current = this.#generations.at(-1);
    const full = current !== undefined && current.entries + adding > this.#options.entriesMax / generationsMax;
    const aged =
      current !== undefined && arrivedAtMs - current.startedAtMs >= this.#options.horizonMs / generationsPerHorizon;
    if (current !== undefined && !full && !aged) return current;
    const next = { number: (current?.number ?? -1) + 1, startedAtMs: arrivedAtMs, entries: 0 };
    this.#generations.push(next);
    this.#filters.set(next.number, new TraceFilter());
    if (this.#generations.length > generationsMax) this.#dropOldest(arrivedAtMs);
    return next;
  }

  #dropOldest(arrivedAtMs: number): void {
    const dropped = this.#generations.shift();
    const heldMs = arrivedAtMs - (this.#generations[0]?.startedAtMs ?? arrivedAtMs);
    this.#shortened = heldMs < this.#options.horizonMs;
    // The slot after the filling one is always empty, so clearing never races with a reader of a live generation.
    if (dropped !== undefined) {
      void this.#database(dropped.number).clearAsync();
      this.#filters.delete(dropped.number);
    }
    // What memory knows beyond the horizon would be another answer than after a restart.
    this.#loaded.clear();
    this.#shared.clear();
    this.#last = undefined;
  }
}

function sharedKey(tenant: string, traceId: string): string {
  return `${tenant}\0${traceId}`;
}
