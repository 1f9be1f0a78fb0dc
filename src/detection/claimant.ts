/**
 * All detectors over all series: records and ticks in the order of the log go in, claims come out. Synchronous, without a
 * clock of its own; its state is plain data, so that the same log gives the same claims wherever it was restarted.
 */

import { isDeepStrictEqual } from "node:util";
import { type CellStore, newCellStore } from "../../detectors/cells.ts";
import type { Context, Detector, Observation, Scope, Verdict } from "../../detectors/detector.ts";
import type { EnergyReading } from "../model/energy-reading.ts";
import type { ClaimName } from "../model/finding.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import { type AlertBudget, alarmLevel, defaultBudget, spendWeight } from "./alert-budget.ts";
import { type DetectorChoices, type PlannedDetector, planDetectors } from "./detector-plan.ts";
import type { RaisedClaim } from "./incidents.ts";
import { observationOf } from "./observation-of.ts";
import { scopeRules } from "./scopes.ts";
import { type SavedTree, type SeriesNode, SeriesTree, type TreeLimits } from "./series-tree.ts";

export interface ClaimantOptions {
  readonly detectors: readonly Detector[];
  readonly choices: DetectorChoices;
  readonly limits: TreeLimits;
  readonly budget?: AlertBudget;
  /** Which of the detectors run here; all, where it is left out. */
  readonly runs?: (detector: Detector) => boolean;
}

/** Everything that claims to come depend on. */
export interface SavedClaimant extends SavedTree {
  readonly cells: CellStore;
  readonly weightSum: number;
  readonly minute: number;
  /** Snapshots of older versions do not have it. */
  readonly clockMs?: number;
  /** Names of the detectors whose states the nodes of a scope hold, in their order. */
  readonly names: readonly (readonly [Scope, readonly string[]])[];
}

const minuteMs = 60_000;
const nothing: readonly RaisedClaim[] = [];
/** A series without arrivals for this long is told the time by ticks instead of by its own records. */
const quietMs = 60_000;
/** Detectors that ask for the alarm level of a series before it is reckoned anew. */
const alarmAgeMax = 256;

export class Claimant {
  readonly #plan: ReadonlyMap<Scope, readonly PlannedDetector[]>;
  /** How many detectors there are of a scope, wherever they run: they share what false alarms are accepted. */
  readonly #streams: ReadonlyMap<Scope, number>;
  /** The plan, by the place of the scope in the tree's. */
  readonly #planByPlace: readonly (readonly PlannedDetector[])[];
  /** What the states of all series share. */
  readonly #cells: CellStore;
  readonly #tree: SeriesTree;
  readonly #budget: AlertBudget;
  /** How many times the evidence of a ticket a page asks for. */
  readonly #pagesAreRarer: number;
  readonly #context: { -readonly [Key in keyof Context]: Context[Key] } = { alarmAt: 0, settings: {}, parent: null };
  /** Claims of the record at hand. */
  #told: RaisedClaim[] = [];
  #weightSum: number;
  /** Minute of the last tick. */
  #minute: number;
  /** In a cluster the clocks of those who write a log differ a little: it is the furthest of them. */
  #clockMs: number;

  /** @param saved what `saved` gave, by the same or an older list of detectors. */
  constructor(options: ClaimantOptions, saved?: SavedClaimant) {
    this.#plan = planDetectors(options.detectors, options.choices, options.runs);
    const all = planDetectors(options.detectors, options.choices);
    this.#streams = new Map([...all].map(([scope, planned]) => [scope, planned.length]));
    this.#cells = saved?.cells ?? newCellStore();
    this.#tree = new SeriesTree(
      new Set(this.#plan.keys()),
      { ...options.limits, forgotten: (node) => this.#forget(node) },
      saved,
    );
    this.#budget = options.budget ?? defaultBudget;
    this.#pagesAreRarer = this.#budget.ticketsPerWeek / this.#budget.pagesPerWeek;
    this.#planByPlace = this.#tree.scopes.map((scope) => this.#plan.get(scope) ?? []);
    if (saved !== undefined) this.#placeStates(new Map(saved.names));
    this.#weightSum = saved?.weightSum ?? 0;
    this.#minute = saved?.minute ?? 0;
    this.#clockMs = saved?.clockMs ?? 0;
  }

  get seriesCount(): number {
    return this.#tree.size;
  }

  /** Holds what is changed by the next record: to be written before. */
  saved(): SavedClaimant {
    return {
      cells: this.#cells,
      root: this.#tree.root,
      newcomers: this.#tree.newcomers,
      weightSum: this.#weightSum,
      minute: this.#minute,
      clockMs: this.#clockMs,
      names: [...this.#plan].map(([scope, planned]) => [scope, planned.map(({ detector }) => detector.name)] as const),
    };
  }

  /**
   * Puts the states of a snapshot where the plan of today has them. Those of detectors that are no more are dropped; nobody
   * knows how to give their cells back, which stay unused.
   */
  #placeStates(names: ReadonlyMap<Scope, readonly string[]>): void {
    const places = new Map(
      [...this.#plan].map(([scope, planned]) => {
        const before = names.get(scope) ?? [];
        return [scope, planned.map(({ detector }) => before.indexOf(detector.name))] as const;
      }),
    );
    for (const node of this.#tree.nodes()) {
      node.states = (places.get(node.scope) ?? []).map((before) => node.states[before] ?? null);
    }
  }

  #forget({ scope, states }: SeriesNode): void {
    for (const { place, detector } of this.#plan.get(scope) ?? []) {
      const state = states[place] ?? null;
      if (state !== null) detector.forget?.(state);
    }
  }

  /** Judges one record that arrived at `atMs`. */
  observe(record: UsageRecord, atMs: number): readonly RaisedClaim[] {
    const claims = this.#told;
    const arrivedAtMs = this.#passTo(atMs);
    const observation = observationOf(record, arrivedAtMs);
    const nodes = this.#tree.nodesOf(observation);
    for (const { node, earlier } of this.#tree.promoted) {
      const plan = this.#plan.get(node.scope) ?? [];
      for (const met of earlier) this.#tell(node, plan, observationOf(met.record, met.arrivedAtMs), claims);
    }
    for (let place = 0; place < nodes.length; place++) {
      const node = nodes[place] ?? null;
      if (node !== null) this.#tell(node, this.#planByPlace[place] ?? [], observation, claims);
    }
    if (claims.length === 0) return nothing;
    this.#told = [];
    return claims;
  }

  #tell(node: SeriesNode, plan: readonly PlannedDetector[], observation: Observation, claims: RaisedClaim[]): void {
    // Made at once in its full length: an array that grows takes twice the room.
    if (node.states.length === 0) node.states = plan.map(() => null);
    const { states } = node;
    for (let place = 0; place < plan.length; place++) {
      const planned = plan[place] as PlannedDetector;
      const { detector } = planned;
      this.#refreshAlarm(node);
      let state = states[place] ?? null;
      if (state === null) {
        if (detector.begins?.(observation) === false) continue;
        state = detector.newState(this.#cells);
        states[place] = state;
      }
      const verdicts = detector.observe(state, observation, this.#contextOf(node, planned));
      if (verdicts.length > 0) this.#raise(verdicts, node, planned, claims);
    }
  }

  /** Takes a measurement of an instance, which from its first on has a series. */
  measure(reading: EnergyReading, atMs: number): readonly RaisedClaim[] {
    const nowMs = this.#passTo(atMs);
    const node = this.#tree.measured(reading.instance, nowMs);
    if (node === null) return nothing;
    const plan = this.#plan.get(node.scope) ?? [];
    if (node.states.length === 0) node.states = plan.map(() => null);
    const claims: RaisedClaim[] = [];
    for (const planned of plan) {
      const { detector, place } = planned;
      const state = node.states[place] ?? detector.newState(this.#cells);
      node.states[place] = state;
      const verdicts = detector.measure?.(state, reading, nowMs, this.#contextOf(node, planned)) ?? [];
      this.#raise(verdicts, node, planned, claims);
    }
    return claims;
  }

  /** Lets time pass, as a tick of the log tells it. */
  tick(atMs: number): readonly RaisedClaim[] {
    const nowMs = this.#passTo(atMs);
    const minute = Math.floor(nowMs / minuteMs);
    if (minute <= this.#minute) return nothing;
    const claims: RaisedClaim[] = [];
    this.#minute = minute;
    let weightSum = 0;
    for (const node of this.#tree.nodes()) {
      // What an instance answers is weighed with its tenants.
      if (!scopeRules[node.scope].measured) weightSum += spendWeight(node);
      if (nowMs - node.lastArrivalMs < quietMs) continue;
      for (const planned of this.#plan.get(node.scope) ?? []) {
        this.#refreshAlarm(node);
        const state = node.states[planned.place] ?? null;
        if (state === null) continue;
        const verdicts = planned.detector.tick(state, nowMs, this.#contextOf(node, planned));
        if (verdicts.length > 0) this.#raise(verdicts, node, planned, claims);
      }
    }
    this.#weightSum = weightSum;
    return claims;
  }

  /** "This is the new normal" of a claim: its detector ends it without a word, and learns that series anew. */
  accept({ detector: name, kind, series }: ClaimName): void {
    for (const node of this.#tree.nodes()) {
      if (!isDeepStrictEqual(node.series, series)) continue;
      const planned = this.#plan.get(node.scope)?.find(({ detector }) => detector.name === name);
      const state = planned === undefined ? null : (node.states[planned.place] ?? null);
      if (state === null) continue;
      planned?.detector.acknowledge(state);
      noteFiring(node.firing, { kind, status: "resolved" });
    }
  }

  #passTo(atMs: number): number {
    if (atMs > this.#clockMs) this.#clockMs = atMs;
    return this.#clockMs;
  }

  /** Before a detector asks for the level, if it does. */
  #refreshAlarm(node: SeriesNode): void {
    if (node.alarmAge-- > 0) return;
    node.alarmAge = alarmAgeMax;
    node.alarmAt = this.#alarmAt(node);
  }

  #contextOf(node: SeriesNode, planned: PlannedDetector): Context {
    this.#context.alarmAt = planned.mode === "page" ? node.alarmAt * this.#pagesAreRarer : node.alarmAt;
    this.#context.settings = planned.settings;
    this.#context.parent = planned.above === null ? null : parentState(node, planned.above);
    return this.#context;
  }

  /** The level of a ticket; a page asks for more. */
  #alarmAt(node: SeriesNode): number {
    const streams = this.#streams.get(node.scope) ?? 1;
    return alarmLevel(
      node,
      { weightSum: this.#weightSum, streams, perWeek: this.#budget.ticketsPerWeek },
      this.#budget,
    );
  }

  #raise(
    verdicts: readonly Verdict[],
    node: SeriesNode,
    { detector, mode, whole }: PlannedDetector,
    claims: RaisedClaim[],
  ): void {
    for (const verdict of verdicts) {
      noteFiring(node.firing, verdict);
      const { ticketOnly, ...said } = verdict;
      const severity = ticketOnly === true ? "ticket" : mode;
      claims.push({ ...said, detector: detector.name, series: node.series, severity, whole });
    }
  }
}

function noteFiring(firing: string[], { kind, status }: Pick<Verdict, "kind" | "status">): void {
  const index = firing.indexOf(kind);
  if (status === "firing" && index === -1) firing.push(kind);
  if (status === "resolved" && index !== -1) firing.splice(index, 1);
}

function parentState(node: SeriesNode, { scope, place }: NonNullable<PlannedDetector["above"]>): object | null {
  for (let at = node.parent; at !== null; at = at.parent) if (at.scope === scope) return at.states[place] ?? null;
  return null;
}
