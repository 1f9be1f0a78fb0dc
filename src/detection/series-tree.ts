/**
 * Every series under watch, as a tree: the fleet, its tenants, their features, their models. Each node carries the states
 * of the detectors of its scope and how much it matters. Plain data apart from methods of the tree, and bounded: when it
 * is full, the smallest tenth is forgotten at once, so that a flood of new names costs no search per name.
 */

import type { Observation, Scope } from "../../detectors/detector.ts";
import type { Series } from "../model/finding.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import { type Met, Newcomers } from "./newcomers.ts";
import { timeOf } from "./observation-of.ts";
import { scopeNames, scopeRules } from "./scopes.ts";

/** What every record asks for stands first, side by side in memory. */
export interface SeriesNode {
  /** By the number of their scope (`scopeNames`), then by key; null before the first. */
  children: (Map<string, SeriesNode> | undefined)[] | null;
  /** States of the detectors of the scope, each in its place in the plan; null before its first observation. */
  states: (object | null)[];
  /** Unix milliseconds of the log's clock when the last record came. */
  lastArrivalMs: number;
  /** Event time up to when counts have faded. */
  latestMs: number;
  /** Calls and nano-dollars, exponentially decayed with a half-life of a day. */
  calls: number;
  nanoUsd: number;
  /** How often the alarm level is asked for until it is reckoned anew, and the level. */
  alarmAge: number;
  alarmAt: number;
  readonly parent: SeriesNode | null;
  readonly scope: Scope;
  readonly key: string;
  readonly series: Series;
  /** Event time of the first record. */
  readonly firstMs: number;
  /** Kinds that are firing here: such a series is forgotten last. */
  readonly firing: string[];
}

/** A series that was just made, and what it must be told of before the record that made it. */
export interface Promoted {
  readonly node: SeriesNode;
  readonly earlier: readonly Met[];
}

interface Step {
  readonly scope: Scope;
  /** Of the scope, in `scopeNames`. */
  readonly number: number;
  readonly passing: boolean;
  readonly measured: boolean;
  readonly key: (record: UsageRecord) => string | null;
  readonly above: number;
}

/** A series to be made. */
interface Named {
  readonly key: string;
  /** What it adds to the names of its parent. */
  readonly names: Series;
  readonly atMs: number;
  readonly arrivedAtMs: number;
}

/** A record and its times. */
type Seen = Pick<Observation, "record" | "atMs" | "arrivedAtMs">;

export interface TreeLimits {
  /** Nodes of lasting scopes (tenants, features, models, prompts, providers). */
  readonly seriesMax: number;
  /** Nodes of passing scopes (runs, sessions, users). */
  readonly passingMax: number;
}

/** What a snapshot keeps of a tree. */
export interface SavedTree {
  readonly root: SeriesNode;
  readonly newcomers: Pick<Newcomers, "recent" | "older">;
}

interface TreeOptions extends TreeLimits {
  /** Told of each node that is forgotten. */
  readonly forgotten: (node: SeriesNode) => void;
}

const dayMs = 86_400_000;
const fadeStepMs = 60_000;
/** A tenth is forgotten at once. */
const forgottenShare = 0.1;
const noneEarlier: readonly Met[] = [];

export class SeriesTree {
  readonly root: SeriesNode;
  readonly newcomers: Newcomers;
  /** Every scope of the tree, wider ones first. */
  readonly scopes: readonly Scope[];
  /** Of the last call of `nodesOf`. */
  readonly promoted: Promoted[] = [];
  /** Of the last call of `nodesOf`, by the place in `scopes`. */
  readonly #found: (SeriesNode | null)[];
  readonly #options: TreeOptions;
  /** Wider scopes first; `above` is the position of each one's parent. */
  readonly #steps: readonly Step[];
  readonly #counts = { lasting: 0, passing: 0 };

  /** @param scopes those that a detector asks for; their ancestors come along. */
  constructor(scopes: ReadonlySet<Scope>, options: TreeOptions, saved?: SavedTree) {
    this.#options = options;
    this.newcomers = new Newcomers(saved?.newcomers);
    this.scopes = withAncestors(scopes);
    this.#steps = this.scopes.slice(1).map((scope) => {
      const { parent, key, passing, measured } = scopeRules[scope];
      return {
        scope,
        number: scopeNames.indexOf(scope),
        key,
        passing,
        measured,
        above: parent === null ? -1 : this.scopes.indexOf(parent),
      };
    });
    this.root = saved?.root ?? newNode("fleet", "", {}, null, 0, 0);
    this.#found = this.scopes.map((_, place) => (place === 0 ? this.root : null));
    for (const node of this.nodes()) this.#counts[scopeRules[node.scope].passing ? "passing" : "lasting"]++;
  }

  get size(): number {
    return this.#counts.lasting + this.#counts.passing;
  }

  /**
   * The nodes that a record belongs to, by the place of their scope in `scopes`; null where the record has no such name.
   * New ones are made, those of passing scopes with their second record (`promoted`). The array is overwritten by the next
   * call.
   */
  nodesOf(seen: Seen): readonly (SeriesNode | null)[] {
    const { record } = seen;
    const found = this.#found;
    if (this.promoted.length > 0) this.promoted.length = 0;
    for (let place = 1; place < found.length; place++) {
      const step = this.#steps[place - 1] as Step;
      const name = step.key(record);
      const parent = found[step.above] ?? null;
      found[place] = name === null || parent === null ? null : this.#child(parent, step, name, seen);
    }
    // Last, since what is forgotten for a new node is ranked by what stood before this record.
    for (const node of found) if (node !== null) weigh(node, seen);
    return found;
  }

  #child(above: SeriesNode, step: Step, key: string, seen: Seen): SeriesNode | null {
    const known = above.children?.[step.number]?.get(key);
    if (known !== undefined) return known;
    if (step.measured) return null;
    const { scope, passing } = step;
    const { record, arrivedAtMs } = seen;
    const earlier = passing ? this.newcomers.meet(nameOf(scope, key, record), { record, arrivedAtMs }) : noneEarlier;
    if (earlier === null) return null;
    // It began with the record that was kept for it, and that one counts as this one will.
    const first = earlier.map((met) => ({ ...met, atMs: timeOf(met.record, met.arrivedAtMs) }));
    const node = this.#add(above, step, { key, names: scopeRules[scope].names(record), ...timesOf(first[0] ?? seen) });
    for (const each of first) weigh(node, each);
    if (earlier.length > 0) this.promoted.push({ node, earlier });
    return node;
  }

  /** The node of an instance that is measured, made where it is new; null where no detector asks for them. */
  measured(instance: string, arrivedAtMs: number): SeriesNode | null {
    const step = this.#steps.find(({ scope }) => scope === "instance");
    if (step === undefined) return null;
    const known = this.root.children?.[step.number]?.get(instance);
    if (known !== undefined) return known;
    return this.#add(this.root, step, { key: instance, names: { instance }, atMs: arrivedAtMs, arrivedAtMs });
  }

  *nodes(): Generator<SeriesNode> {
    const waiting = [this.root];
    for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
      yield node;
      for (const siblings of node.children ?? []) {
        if (siblings !== undefined) for (const child of siblings.values()) waiting.push(child);
      }
    }
  }

  #add(above: SeriesNode, { scope, number, passing }: Step, named: Named): SeriesNode {
    const { key, names, atMs, arrivedAtMs } = named;
    const kind = passing ? "passing" : "lasting";
    if (this.#counts[kind] >= (passing ? this.#options.passingMax : this.#options.seriesMax)) {
      this.#forget(passing, above);
    }
    const series = { ...above.series, ...names };
    const node = newNode(scope, key, series, above, atMs, arrivedAtMs);
    above.children ??= [];
    const siblings = above.children[number] ?? new Map<string, SeriesNode>();
    above.children[number] = siblings.set(key, node);
    this.#counts[kind]++;
    return node;
  }

  /** Leaves of the tree only, so that a parent outlives its children; never `keep` or what is above it. */
  #forget(passing: boolean, keep: SeriesNode): void {
    const leaves = [...this.nodes()].filter(
      (node) =>
        node.parent !== null && node !== keep && scopeRules[node.scope].passing === passing && !hasChildren(node),
    );
    const now = leaves.reduce((latest, node) => Math.max(latest, node.lastArrivalMs), 0);
    const worth = (node: SeriesNode) =>
      node.firing.length > 0
        ? Number.POSITIVE_INFINITY
        : passing
          ? node.lastArrivalMs
          : (node.nanoUsd + node.calls) * 2 ** ((node.lastArrivalMs - now) / dayMs);
    const ranked = leaves.map((node) => ({ node, worth: worth(node) })).sort((a, b) => a.worth - b.worth);
    for (const { node } of ranked.slice(0, Math.max(1, Math.ceil(ranked.length * forgottenShare)))) {
      node.parent?.children?.[scopeNames.indexOf(node.scope)]?.delete(node.key);
      this.#options.forgotten(node);
      this.#counts[passing ? "passing" : "lasting"]--;
    }
  }
}

function timesOf({ atMs, arrivedAtMs }: Pick<Seen, "atMs" | "arrivedAtMs">) {
  return { atMs, arrivedAtMs };
}

function nameOf(scope: Scope, name: string, { tenant, feature }: UsageRecord): string {
  return `${scope} ${name} ${tenant} ${feature}`;
}

function newNode(
  scope: Scope,
  key: string,
  series: Series,
  parent: SeriesNode | null,
  atMs: number,
  arrivedAtMs: number,
): SeriesNode {
  return {
    children: null,
    states: [],
    lastArrivalMs: arrivedAtMs,
    latestMs: atMs,
    calls: 0,
    nanoUsd: 0,
    alarmAge: 0,
    alarmAt: 0,
    parent,
    scope,
    key,
    series,
    firstMs: atMs,
    firing: [],
  };
}

function weigh(node: SeriesNode, { record, atMs, arrivedAtMs }: Seen): void {
  node.lastArrivalMs = arrivedAtMs;
  // Within a minute of a day nothing fades that could be told.
  if (atMs - node.latestMs > fadeStepMs) {
    const kept = 2 ** ((node.latestMs - atMs) / dayMs);
    node.calls *= kept;
    node.nanoUsd *= kept;
    node.latestMs = atMs;
  }
  node.calls += record.calls;
  node.nanoUsd += record.costNanoUsd ?? 0;
}

function hasChildren(node: SeriesNode): boolean {
  return node.children?.some((siblings) => siblings !== undefined && siblings.size > 0) === true;
}

function withAncestors(scopes: ReadonlySet<Scope>): readonly Scope[] {
  const all = new Set<Scope>(["fleet"]);
  for (const scope of scopes) {
    for (let at: Scope | null = scope; at !== null; at = scopeRules[at].parent) all.add(at);
  }
  return scopeNames.filter((scope) => all.has(scope));
}
