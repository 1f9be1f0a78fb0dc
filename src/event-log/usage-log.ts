/**
 * The usage log with what must change together with it: the resolver's input offset, its identity index and its small
 * state. A step is in the log whole or not at all, after kill -9 as after a loss of power. On one machine the log is one
 * and has both ends in one process (`UsageLog`); in a cluster a resolver appends to all of its partitions
 * (`ResolverLog`), and each partition has consumers elsewhere (`ConsumedLog`).
 */

import type { ParkedEntry } from "./dead-letter.ts";
import type { EventLog, LogReader } from "./event-log.ts";

/** (tenant, trace, span), exact. */
export interface Identity {
  readonly tenant: string;
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
}

/** A trace of one tenant. */
export type TraceKey = Omit<Identity, "spanId">;

/** What is remembered of a span: enough to tell a repeat from a conflict, and who repeats whom within a trace. */
export interface SeenSpan {
  /** 16 hex digits. */
  readonly spanId: string;
  /** 16 hex digits, or "". */
  parentSpanId: string;
  /** Unix microseconds. */
  startUs: number;
  endUs: number;
  revision: number;
  /** Signed 32-bit hash of usage and cost. */
  contentHash: number;
  /** Signed 32-bit hash of the provider's response id; 0 where unknown. */
  responseHash: number;
  /** Signed 32-bit hash of operation and tokens; 0 without tokens. */
  callHash: number;
  /** 16-bit hashes of the model's family, and of what wrote the span. */
  modelHash: number;
  emitterHash: number;
  /** Of two spans of the same call the one with the higher rank is kept; 0 to 255. */
  rank: number;
  /** See `spanBits`. */
  bits: number;
  /** The index's own: where it stands; -1 for a span that was not saved yet. */
  place: number;
}

export const spanBits = {
  /** May have the request to the provider, or a retelling of it, beneath it. */
  wrapper: 1,
  /** The sum over several calls. */
  aggregated: 2,
  /** An operation that a provider bills. */
  billable: 4,
  /** Its record is in the usage log, and not taken back. */
  billed: 8,
  /** A wrapper that waits until its trace is quiet. */
  held: 16,
  /** Came in this step, which has not decided on it yet. Never saved. */
  arriving: 32,
  /** A call that came again after it was forgotten, and is in the table, billed or taken back: nothing to bill here. */
  stored: 64,
} as const;

/** Spans of one trace that are known together. Those beyond are known one by one, and compared with none. */
export const spansPerTraceMax = 4096;

/** The spans of a trace that are known within the horizon, by span id. Whoever changes them says so in the next step. */
export interface SeenTrace extends TraceKey {
  /** At most `spansPerTraceMax`. */
  readonly spans: Map<string, SeenSpan>;
}

export interface IdentityStats {
  readonly entries: number;
  readonly entriesMax: number;
  /** How far back every identity is known, in milliseconds by arrival: the stated horizon or less when cut by size. */
  readonly horizonMs: number;
  /** True when the limit on entries, not time, decided the horizon. */
  readonly shortened: boolean;
}

/** An entry and the partition of the usage log it belongs to. */
export interface PartitionEntry {
  /** From 0. */
  readonly partition: number;
  readonly payload: Uint8Array;
}

export interface ResolverStep {
  /** Offset of the spans log up to which this step has read. */
  readonly inputOffset: number;
  /** Milliseconds of the clock when the step began: the arrival time of its records. */
  readonly arrivedAtMs: number;
  /** When the newest span read so far had arrived, which is long ago where the resolver lags; by default `arrivedAtMs`. */
  readonly inputArrivedAtMs?: number;
  /** Entries to append to the usage log; may be none. */
  readonly entries: readonly PartitionEntry[];
  /** Traces with those of their spans that are new or changed. */
  readonly traces: ReadonlyMap<SeenTrace, readonly SeenSpan[]>;
  /** Wrappers to keep, as entries of the usage log, or to forget (null), by `identityKey`. */
  readonly wrappers: ReadonlyMap<string, Uint8Array | null>;
  /** Named small values, replaced whole. */
  readonly state: Readonly<Record<string, unknown>>;
  /** Entries of the spans log that cannot be read, put aside in the same transaction; only where the log `parks`. */
  readonly parked?: readonly ParkedEntry[];
  /** What producers numbered among what was read, encoded, for whoever accounts for it; only where the log does not. */
  readonly numbers?: Uint8Array | null;
  /** In a cluster, how far a re-pricing of this resolver's records is, for whoever asks and whoever takes over. */
  readonly repriced?: Uint8Array;
}

/** What a resolver remembers, as of its last step. */
export interface ResolverMemory {
  /** What is known of a trace within the horizon. */
  trace(key: TraceKey): SeenTrace;
  /** What is known of a span, also beyond those that its trace holds together. */
  seen(trace: SeenTrace, spanId: string): SeenSpan | undefined;
  /** The entry that was kept of a wrapper. */
  wrapper(key: string): Uint8Array | undefined;
  /** All that are kept. */
  wrapperKeys(): Iterable<string>;
  state(name: string): unknown;
  identityStats(nowMs: number): IdentityStats;
}

/** What a resolver has of the usage log, and its own memory beside it. */
export interface ResolverLog {
  readonly memory: ResolverMemory;
  /** Partitions of the usage log. */
  readonly partitions: number;
  /** Those that this resolver tells the time: each is told it by one. */
  readonly clockOf: readonly number[];
  /** Whether entries that cannot be read may be put aside; where not, whoever reads stops at them. */
  readonly parks: boolean;
  /** Whether this resolver sees all that producers number, and accounts for it; where not, it is handed on. */
  readonly accounts: boolean;
  /**
   * Appends the entries and moves index, state and input offset in one transaction. Steps are not concurrent. After an
   * error it is unknown whether the step was made, and this object is of no more use: opened anew, it knows.
   * @returns the offset of each entry within its partition.
   */
  commit(step: ResolverStep): Promise<readonly number[]>;
  /** Of the last step. */
  inputOffset(): number;
}

/** What a consumer has of a partition of the usage log. */
export interface ConsumedLog {
  /** The entries, for this consumer. */
  readonly entries: LogReader;
  /** As of `ResolverLog`. */
  readonly parks: boolean;
  /**
   * A consumer's small durable value (offset, plan, snapshot); resolves when it would survive a loss of power.
   * @param parked entries that it cannot read, put aside in the same transaction; only where the log `parks`.
   */
  saveMark(name: string, value: ConsumerMark, parked?: readonly ParkedEntry[]): Promise<void>;
  mark(name: string): unknown;
}

/** Named small durable values of whoever keeps one of them at a time. */
export interface Marks {
  /** Resolves when it would survive a loss of power. */
  saveMark(name: string, value: unknown): Promise<void>;
  mark(name: string): unknown;
}

/** Whatever a consumer remembers, beside how far it has come. */
export interface ConsumerMark {
  /** Entries up to here are done with. */
  readonly offset: number;
}

/** The usage log of one machine. */
export interface UsageLog extends ResolverLog, ConsumedLog {
  readonly entries: EventLog;
  saveMark(name: string, value: unknown): Promise<void>;
  close(): Promise<void>;
}

/** Text under which a record is looked for, and a wrapper kept. */
export function identityKey({ tenant, traceId, spanId }: Identity): string {
  return `${traceId}${spanId}${tenant}`;
}
