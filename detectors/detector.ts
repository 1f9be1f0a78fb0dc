/**
 * What a detector is. It judges one stream of observations at a time: those of one tenant, one feature, one run,
 * according to its scopes. The caller keeps a state for each (detector, scope, key), hands in what happened in the order
 * in which it arrived, and saves and restores states. A detector is pure: all time comes in with observations and ticks.
 */

import type { EnergyReading } from "../src/model/energy-reading.ts";
import type { Claim } from "../src/model/finding.ts";
import type { UsageRecord } from "../src/model/usage-record.ts";
import type { CellStore } from "./cells.ts";

/**
 * Which observations share a state. `tenant`; `feature`: tenant and feature; `model`: tenant, feature and model;
 * `prompt`: tenant, feature and prompt name; `user`: tenant and user; `session`: tenant and session; `run`: tenant,
 * feature and run; `provider`: provider and model over all tenants; `instance`: the process that sent the record, of those
 * whose energy is measured; `fleet`: everything. Observations without the name that a scope
 * ends with (a record without run) are not handed to it, but `feature` falls back to the tenant.
 */
export type Scope =
  | "fleet"
  | "provider"
  | "tenant"
  | "feature"
  | "model"
  | "prompt"
  | "user"
  | "session"
  | "run"
  | "instance";

/** One usage record as detectors see it. Numbers are finite; a token count is a non-negative integer. */
export interface Observation {
  /** Unix milliseconds of the end of the call, by its emitter: may be late, or wrong by hours. */
  readonly atMs: number;
  /** Unix milliseconds of the log's clock, never decreasing from one observation to the next. */
  readonly arrivedAtMs: number;
  /** Uniform in [0, 1), a hash of trace and span: breaks ties between ranks, the same in every replay. */
  readonly tieBreak: number;
  /**
   * 1 for a billed call, 0 for tools and retrieval, -1 in a correction: which counts for spend, never for ranks. More where
   * it sums up a moment of a series, which only detectors of a tenant, a provider or the fleet are given: they sum.
   */
  readonly calls: number;
  /** All input tokens, cached ones included. */
  readonly inputTokens: number;
  readonly cacheReadTokens: number;
  readonly cacheWriteTokens: number;
  /** All output tokens, reasoning included. */
  readonly outputTokens: number;
  readonly reasoningTokens: number;
  /** Null when the price is unknown. Negative in a correction. */
  readonly nanoUsd: number | null;
  readonly durationMs: number;
  readonly failed: boolean;
  /** The answer was cut off by a limit on its length. */
  readonly truncated: boolean;
  /** The record itself, for names and hashes (run, tool, arguments, prompt version). */
  readonly record: UsageRecord;
}

/** Settings are numbers with the unit in their names; the configuration spells them in snake_case. */
export type Settings = Readonly<Record<string, number>>;

/** What the caller decides for one state. */
export interface Context<Chosen extends Settings = Settings> {
  /**
   * The evidence at which to raise an alarm, from the alert budget: at most one false alarm in that many observations of
   * this state, so long as they are exchangeable. For rules that have no such bound it is of no use.
   */
  readonly alarmAt: number;
  /** The detector's own settings, its `settings` with what the configuration says otherwise. */
  readonly settings: Chosen;
  /** The state of the same detector one scope further up, where there is one: a baseline to borrow from. */
  readonly parent: object | null;
}

/** A claim about the series of the state that made it; the caller adds who and how severe. */
export interface Verdict extends Claim {
  /** Worth a ticket by now and no page, however loud the detector is: a telling may change its mind, upward only. */
  readonly ticketOnly?: boolean;
}

export interface Detector<State extends object = object, Chosen extends Settings = Settings> {
  /** Number in the catalogue, e.g. `D1`. */
  readonly id: string;
  /** Stable name, kebab-case: the configuration switches by it, and findings carry it. */
  readonly name: string;
  /** One line for the catalogue: what it sees. */
  readonly summary: string;
  /** How it decides, in a sentence or two, for the catalogue. */
  readonly method: string;
  /** The kinds of its verdicts. */
  readonly kinds: readonly string[];
  /** From the widest to the narrowest: the parent of a state is the one in the scope before. */
  readonly scopes: readonly Scope[];
  /** How loud it is unless the configuration says otherwise. */
  readonly mode: "off" | "ticket" | "page";
  /** Names, with units, and defaults of everything that can be configured. */
  readonly settings: Chosen;
  /** Upper bound of one serialised state. */
  readonly stateBytesMax: number;
  /**
   * A state before its first observation: plain data (numbers, texts, arrays, typed arrays), which can be cloned. Its
   * histograms lie in the store where one is given.
   */
  newState(store?: CellStore | null): State;
  /** Gives back what the state took from its store. Left out where it takes nothing. */
  forget?(state: State): void;
  /**
   * Whether an observation can say anything to a series that has no state yet: until one does, none is made. Left out
   * where every observation can.
   */
  begins?(observation: Observation): boolean;
  /**
   * Takes one observation. @returns what is newly decided, nearly always `calm`; a firing claim is told again when it has
   * grown much, at most once a minute.
   */
  observe(state: State, observation: Observation, context: Context<Chosen>): readonly Verdict[];
  /**
   * Takes what the devices of its instance used; only asked in the scope `instance`, whose series begin with it.
   * `nowMs` is the log's clock. @returns what is newly decided.
   */
  measure?(state: State, reading: EnergyReading, nowMs: number, context: Context<Chosen>): readonly Verdict[];
  /** Lets time pass, at most once a minute. `nowMs` is the log's clock. @returns what is newly decided. */
  tick(state: State, nowMs: number, context: Context<Chosen>): readonly Verdict[];
  /** "This is the new normal": ends what is firing without a word and begins the baseline anew. */
  acknowledge(state: State): void;
}

/** Nothing to say. Shared, so that the usual answer costs nothing. */
export const calm: readonly Verdict[] = [];
