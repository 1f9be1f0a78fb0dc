/**
 * All detectors over all series: records and ticks in the order of the log go in, findings come out. Synchronous, without
 * a clock of its own; its state is plain data, so that the same log gives the same findings wherever it was restarted.
 */

import { deserialize, serialize } from "node:v8";
import type { Context, Detector, Observation, Scope, Verdict } from "../../detectors/detector.ts";
import type { Finding } from "../model/finding.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import { type AlertBudget, alarmLevel, defaultBudget, spendWeight } from "./alert-budget.ts";
import { type DetectorChoices, type PlannedDetector, planDetectors } from "./detector-plan.ts";
import { defaultFold, type FoldSettings, type IncidentState, newIncidents, passTime, raise } from "./incidents.ts";
import type { Newcomers } from "./newcomers.ts";
import { observationOf } from "./observation-of.ts";
import { type SeriesNode, SeriesTree, type TreeLimits } from "./series-tree.ts";

export interface WatcherOptions {
  readonly detectors: readonly Detector[];
  readonly choices: DetectorChoices;
  readonly limits: TreeLimits;
  readonly fold?: FoldSettings;
  readonly budget?: AlertBudget;
}

interface Saved {
  readonly root: SeriesNode;
  readonly newcomers: Newcomers;
  readonly incidents: IncidentState;
  readonly weightSum: number;
  readonly minute: number;
}

const minuteMs = 60_000;
const nothing: readonly Finding[] = [];
/** A series without arrivals for this long is told the time by ticks instead of by its own records. */
const quietMs = 60_000;
/** Observations after which the alarm level of a series is reckoned anew. */
const alarmAgeMax = 256;

export class Watcher {
  readonly #plan: ReadonlyMap<Scope, readonly PlannedDetector[]>;
  readonly #tree: SeriesTree;
  readonly #incidents: IncidentState;
  readonly #fold: FoldSettings;
  readonly #budget: AlertBudget;
  readonly #context: { -readonly [Key in keyof Context]: Context[Key] } = { alarmAt: 0, settings: {}, parent: null };
  #weightSum: number;
  /** Minute of the last tick. */
  #minute: number;

  /** @param snapshot what `snapshot` gave, by the same or an older list of detectors. */
  constructor(options: WatcherOptions, snapshot?: Uint8Array) {
    const saved = snapshot === undefined ? undefined : (deserialize(snapshot) as Saved);
    this.#plan = planDetectors(options.detectors, options.choices);
    this.#tree = new SeriesTree(new Set(this.#plan.keys()), options.limits, saved?.root, saved?.newcomers);
    this.#incidents = saved?.incidents ?? newIncidents();
    this.#fold = options.fold ?? defaultFold;
    this.#budget = options.budget ?? defaultBudget;
    this.#weightSum = saved?.weightSum ?? 0;
    this.#minute = saved?.minute ?? 0;
  }

  get seriesCount(): number {
    return this.#tree.size;
  }

  /** Everything that findings to come depend on. */
  snapshot(): Uint8Array {
    const saved: Saved = {
      root: this.#tree.root,
      newcomers: this.#tree.newcomers,
      incidents: this.#incidents,
      weightSum: this.#weightSum,
      minute: this.#minute,
    };
    return serialize(saved);
  }

  /** Judges one record that arrived at `arrivedAtMs`. */
  observe(record: UsageRecord, arrivedAtMs: number): readonly Finding[] {
    const findings: Finding[] = [];
    const observation = observationOf(record, arrivedAtMs);
    const nodes = this.#tree.nodesOf(record, observation.atMs, arrivedAtMs);
    for (const { node, earlier } of this.#tree.promoted) {
      for (const met of earlier) this.#tell(node, observationOf(met.record, met.arrivedAtMs), arrivedAtMs, findings);
    }
    for (const node of nodes) this.#tell(node, observation, arrivedAtMs, findings);
    return findings.length === 0 ? nothing : findings;
  }

  #tell(node: SeriesNode, observation: Observation, nowMs: number, findings: Finding[]): void {
    const plan = this.#plan.get(node.scope);
    if (plan === undefined) return;
    for (const planned of plan) {
      const state = stateOf(node, planned.detector);
      const verdicts = planned.detector.observe(state, observation, this.#contextOf(node, planned));
      if (verdicts.length > 0) this.#raise(verdicts, node, planned, nowMs, findings);
    }
  }

  /** Lets time pass, as a tick of the log tells it. */
  tick(nowMs: number): Finding[] {
    const minute = Math.floor(nowMs / minuteMs);
    const findings = passTime(this.#incidents, nowMs, this.#fold);
    if (minute <= this.#minute) return findings;
    this.#minute = minute;
    let weightSum = 0;
    for (const node of this.#tree.nodes()) {
      weightSum += spendWeight(node);
      if (nowMs - node.lastArrivalMs < quietMs) continue;
      for (const planned of this.#plan.get(node.scope) ?? []) {
        const state = node.states[planned.detector.name];
        if (state === undefined) continue;
        const verdicts = planned.detector.tick(state, nowMs, this.#contextOf(node, planned));
        if (verdicts.length > 0) this.#raise(verdicts, node, planned, nowMs, findings);
      }
    }
    this.#weightSum = weightSum;
    return findings;
  }

  #contextOf(node: SeriesNode, planned: PlannedDetector): Context {
    if (node.alarmAge-- <= 0) {
      node.alarmAge = alarmAgeMax;
      node.alarmAt = this.#alarmAt(node);
    }
    this.#context.alarmAt = planned.mode === "page" ? node.alarmAt * this.#pagesAreRarer : node.alarmAt;
    this.#context.settings = planned.settings;
    this.#context.parent = planned.above === null ? null : parentState(node, planned.above, planned.detector.name);
    return this.#context;
  }

  get #pagesAreRarer(): number {
    return this.#budget.ticketsPerWeek / this.#budget.pagesPerWeek;
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

function stateOf(node: SeriesNode, detector: Detector): object {
  const known = node.states[detector.name];
  if (known !== undefined) return known;
  const state = detector.newState();
  node.states[detector.name] = state;
  return state;
}

function noteFiring(firing: string[], { kind, status }: Verdict): void {
  const index = firing.indexOf(kind);
  if (status === "firing" && index === -1) firing.push(kind);
  if (status === "resolved" && index !== -1) firing.splice(index, 1);
}

function parentState(node: SeriesNode, above: Scope, name: string): object | null {
  for (let at = node.parent; at !== null; at = at.parent) if (at.scope === above) return at.states[name] ?? null;
  return null;
}
