/**
 * The usage log with what must change together with it: the resolver's input offset, its identity index and its small
 * state. A step is in the log whole or not at all, after kill -9 as after a loss of power.
 */

import type { EventLog } from "./event-log.ts";

/** (tenant, trace, span), exact. */
export interface Identity {
  readonly tenant: string;
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
}

/** What is remembered of a record that was seen: enough to tell a repeat from a conflict. */
export interface Seen {
  readonly revision: number;
  /** 32-bit hash of usage and cost. */
  readonly contentHash: number;
}

export interface IdentityStats {
  readonly entries: number;
  readonly entriesMax: number;
  /** How far back every identity is known, in milliseconds by arrival: the stated horizon or less when cut by size. */
  readonly horizonMs: number;
  /** True when the limit on entries, not time, decided the horizon. */
  readonly shortened: boolean;
}

export interface ResolverStep {
  /** Offset of the spans log up to which this step has read. */
  readonly inputOffset: number;
  /** Milliseconds of the clock when the step began: the arrival time of its records. */
  readonly arrivedAtMs: number;
  /** Entries to append to the usage log; may be none. */
  readonly entries: readonly Uint8Array[];
  readonly identities: readonly (readonly [Identity, Seen])[];
  /** Named small values, replaced whole. */
  readonly state: Readonly<Record<string, unknown>>;
}

export interface UsageLog {
  /** The log itself, for its consumers. */
  readonly entries: EventLog;
  /** Appends the entries and moves index, state and input offset in one transaction. Steps are not concurrent. */
  commit(step: ResolverStep): Promise<readonly number[]>;
  /** What is known of this identity within the horizon; undefined when nothing. */
  seen(identity: Identity): Seen | undefined;
  inputOffset(): number;
  state(name: string): unknown;
  identityStats(nowMs: number): IdentityStats;
  /** A consumer's small durable value (offset, plan, snapshot) in this log's environment; resolves when it is on disk. */
  saveMark(name: string, value: unknown): Promise<void>;
  mark(name: string): unknown;
  close(): Promise<void>;
}
