/**
 * All detectors over all series: records and ticks in the order of the log go in, findings come out. Synchronous, without
 * a clock of its own; its state is plain data, so that the same log gives the same findings wherever it was restarted.
 */

import { deserialize, serialize } from "node:v8";
import { type CellStore, newCellStore } from "../../detectors/cells.ts";
import type { Context, Detector, Observation, Scope, Verdict } from "../../detectors/detector.ts";
import type { EnergyReading } from "../model/energy-reading.ts";
import type { Finding } from "../model/finding.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import { type AlertBudget, alarmLevel, defaultBudget, spendWeight } from "./alert-budget.ts";
import { type DetectorChoices, type PlannedDetector, planDetectors } from "./detector-plan.ts";
import { defaultFold, type FoldSettings, type IncidentState, newIncidents, passTime, raise } from "./incidents.ts";
import { observationOf } from "./observation-of.ts";
import { scopeRules } from "./scopes.ts";
import { type SavedTree, type SeriesNode, SeriesTree, type TreeLimits } from "./series-tree.ts";

export interface WatcherOptions {
  readonly detectors: readonly Detector[];
  readonly choices: DetectorChoices;
  readonly limits: TreeLimits;
  readonly fold?: FoldSettings;
  readonly budget?: AlertBudget;
}

interface Saved extends SavedTree {
  readonly cells: CellStore;
  readonly incidents: IncidentState;
  readonly weightSum: number;
  readonly minute: number;
  /** Names of the detectors whose states the nodes of a scope hold, in their order. */
  readonly names: readonly (readonly [Scope, readonly string[]])[];
}

const minuteMs = 60_000;
const nothing: readonly Finding[] = [];
/** A series without arrivals for this long is told the time by ticks instead of by its own records. */
const quietMs = 60_000;
/** Detectors that ask for the alarm level of a series before it is reckoned anew. */
const alarmAgeMax = 256;

export class Watcher {
  readonly #plan: ReadonlyMap<Scope, readonly PlannedDetector[]>;
  /** The same, by the place of the scope in the tree's. */
  readonly #planByPlace: readonly (readonly PlannedDetector[])[];
  /** What the states of all series share. */
  readonly #cells: CellStore;
  readonly #tree: SeriesTree;
  readonly #incidents: IncidentState;
  readonly #fold: FoldSettings;
  readonly #budget: AlertBudget;
  /** How many times the evidence of a ticket a page asks for. */
  readonly #pagesAreRarer: number;
  readonly #context: { -readonly [Key in keyof Context]: Context[Key] } = { alarmAt: 0, settings: {}, parent: null };
  /** Findings of the record at hand. */
  #told: Finding[] = [];
  #weightSum: number;
  /** Minute of the last tick. */
  #minute: number;

  /** @param snapshot what `snapshot` gave, by the same or an older list of detectors. */
  constructor(options: WatcherOptions, snapshot?: Uint8Array) {
    const saved = snapshot === undefined ? undefined : (deserialize(snapshot) as Saved);
    this.#plan = planDetectors(options.detectors, options.choices);
    this.#cells = saved?.cells ?? newCellStore();
    this.#tree = new SeriesTree(
      new Set(this.#plan.keys()),
      { ...options.limits, forgotten: (node) => this.#forget(node) },
      saved,
    );
    this.#incidents = saved?.incidents ?? newIncidents();
    this.#fold = options.fold ?? defaultFold;
    this.#budget = options.budget ?? defaultBudget;
    this.#pagesAreRarer = this.#budget.ticketsPerWeek / this.#budget.pagesPerWeek;
    this.#planByPlace = this.#tree.scopes.map((scope) => this.#plan.get(scope) ?? []);
    if (saved !== undefined) this.#placeStates(new Map(saved.names));
    this.#weightSum = saved?.weightSum ?? 0;
    this.#minute = saved?.minute ?? 0;
  }

  get seriesCount(): number {
    return this.#tree.size;
  }

  /** Everything that findings to come depend on. */
  snapshot(): Uint8Array {
    const saved: Saved = {
      cells: this.#cells,
      root: this.#tree.root,
      newcomers: this.#tree.newcomers,
      incidents: this.#incidents,
      weightSum: this.#weightSum,
      minute: this.#minute,
      names: [...this.#plan].map(([scope, planned]) => [scope, planned.map(({ detector }) => detector.name)] as const),
    };
    return serialize(saved);
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

  /** Judges one record that arrived at `arrivedAtMs`. */
  observe(record: UsageRecord, arrivedAtMs: number): readonly Finding[] {
    const findings = this.#told;
    const observation = observationOf(record, arrivedAtMs);
    const nodes = this.#tree.nodesOf(observation);
    for (const { node, earlier } of this.#tree.promoted) {
      const plan = this.#plan.get(node.scope) ?? [];
      for (const met of earlier)
        this.#tell(node, plan, observationOf(met.record, met.arrivedAtMs), arrivedAtMs, findings);
    }
    for (let place = 0; place < nodes.length; place++) {
      const node = nodes[place] ?? null;
      if (node !== null) this.#tell(node, this.#planByPlace[place] ?? [], observation, arrivedAtMs, findings);
    }
    if (findings.length === 0) return nothing;
    this.#told = [];
    return findings;
  }

  #tell(
    node: SeriesNode,
    plan: readonly PlannedDetector[],
    observation: Observation,
    nowMs: number,
    findings: Finding[],
  ): void {
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
      if (verdicts.length > 0) this.#raise(verdicts, node, planned, nowMs, findings);
    }
  }

  /** Takes a measurement of an instance, which from its first on has a series. */
  measure(reading: EnergyReading, nowMs: number): readonly Finding[] {
    const node = this.#tree.measured(reading.instance, nowMs);
    if (node === null) return nothing;
    const plan = this.#plan.get(node.scope) ?? [];
    if (node.states.length === 0) node.states = plan.map(() => null);
    const findings: Finding[] = [];
    for (const planned of plan) {
      const { detector, place } = planned;
      const state = node.states[place] ?? detector.newState(this.#cells);
      node.states[place] = state;
      const verdicts = detector.measure?.(state, reading, nowMs, this.#contextOf(node, planned)) ?? [];
      this.#raise(verdicts, node, planned, nowMs, findings);
    }
    return findings;
  }

  /** Lets time pass, as a tick of the log tells it. */
  tick(nowMs: number): Finding[] {
    const minute = Math.floor(nowMs / minuteMs);
    const findings = passTime(this.#incidents, nowMs, this.#fold);
    if (minute <= this.#minute) return findings;
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
        if (verdicts.length > 0) this.#raise(verdicts, node, planned, nowMs, findings);
      }
    }
    this.#weightSum = weightSum;
    return findings;
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
    const streams = this.#plan.get(node.scope)?.length ?? 1;
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
    nowMs: number,
    findings: Finding[],
  ): void {
    for (const verdict of verdicts) {
      noteFiring(node.firing, verdict);
      const { ticketOnly, ...said } = verdict;
      const severity = ticketOnly === true ? "ticket" : mode;
      const claim = { ...said, detector: detector.name, series: node.series, severity, whole } as const;
      findings.push(...raise(this.#incidents, claim, nowMs, this.#fold));
    }
  }
}

function noteFiring(firing: string[], { kind, status }: Verdict): void {
  const index = firing.indexOf(kind);
  if (status === "firing" && index === -1) firing.push(kind);
  if (status === "resolved" && index !== -1) firing.splice(index, 1);
}

function parentState(node: SeriesNode, { scope, place }: NonNullable<PlannedDetector["above"]>): object | null {
  for (let at = node.parent; at !== null; at = at.parent) if (at.scope === scope) return at.states[place] ?? null;
  return null;
}
