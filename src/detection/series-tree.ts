/**
 * Every series under watch, as a tree: the fleet, its tenants, their features, their models. Each node carries the states
 * of the detectors of its scope and how much it matters. Plain data apart from methods of the tree, and bounded: when it
 * is full, the smallest tenth is forgotten at once, so that a flood of new names costs no search per name.
 */

import type { Scope } from "../../detectors/detector.ts";
import type { Series } from "../model/finding.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import { type Met, meet, type Newcomers, newNewcomers } from "./newcomers.ts";
import { scopeNames, scopeRules } from "./scopes.ts";

export interface SeriesNode {
  readonly scope: Scope;
  readonly key: string;
  readonly series: Series;
  readonly parent: SeriesNode | null;
  /** By scope, then by key. */
  readonly children: { [scope in Scope]?: Map<string, SeriesNode> };
  /** States by the detector's name. */
  readonly states: Record<string, object>;
  /** Unix milliseconds of the log's clock when the last record came. */
  lastArrivalMs: number;
  /** Event time of the first record, and up to when counts have faded. */
  readonly firstMs: number;
  latestMs: number;
  /** Calls and nano-dollars, exponentially decayed with a half-life of a day. */
  calls: number;
  nanoUsd: number;
  /** Kinds that are firing here: such a series is forgotten last. */
  readonly firing: string[];
  /** Observations until the alarm level is reckoned anew, and the level. */
  alarmAge: number;
  alarmAt: number;
}

/** A series that was just made, and what it must be told of before the record that made it. */
export interface Promoted {
  readonly node: SeriesNode;
  readonly earlier: readonly Met[];
}

interface Step {
  readonly scope: Scope;
  readonly passing: boolean;
  readonly key: (record: UsageRecord) => string | null;
  readonly above: number;
}

export interface TreeLimits {
  /** Nodes of lasting scopes (tenants, features, models, prompts, providers). */
  readonly seriesMax: number;
  /** Nodes of passing scopes (runs, sessions, users). */
  readonly passingMax: number;
}

const dayMs = 86_400_000;
const fadeStepMs = 60_000;
/** A tenth is forgotten at once. */
const forgottenShare = 0.1;

export class SeriesTree {
  readonly root: SeriesNode;
  readonly newcomers: Newcomers;
  /** Of the last call of `nodesOf`. */
  readonly promoted: Promoted[] = [];
  readonly #limits: TreeLimits;
  /** Wider scopes first; `above` is the position of each one's parent. */
  readonly #steps: readonly Step[];
  readonly #counts = { lasting: 0, passing: 0 };

  /** @param scopes those that a detector asks for; their ancestors come along. */
  constructor(scopes: ReadonlySet<Scope>, limits: TreeLimits, root?: SeriesNode, newcomers?: Newcomers) {
    this.#limits = limits;
    this.newcomers = newcomers ?? newNewcomers();
    const ordered = withAncestors(scopes);
    this.#steps = ordered.slice(1).map((scope) => {
      const { parent, key, passing } = scopeRules[scope];
      return { scope, key, passing, above: parent === null ? -1 : ordered.indexOf(parent) };
    });
    this.root = root ?? newNode("fleet", "", {}, null, 0, 0);
    for (const node of this.nodes()) this.#counts[scopeRules[node.scope].passing ? "passing" : "lasting"]++;
  }

  get size(): number {
    return this.#counts.lasting + this.#counts.passing;
  }

  /**
   * The nodes that a record belongs to, widest first, made where they are new; those of passing scopes with their second
   * record (`promoted`). The array is overwritten by the next call.
   */
  nodesOf(record: UsageRecord, atMs: number, arrivedAtMs: number): readonly SeriesNode[] {
    const { found, byStep } = this.#lastFound;
    found.length = 0;
    byStep.length = 0;
    byStep.push(this.root);
    found.push(this.root);
    this.promoted.length = 0;
    for (const { scope, key, above, passing } of this.#steps) {
      const name = key(record);
      const parent = byStep[above] ?? null;
      if (name === null || parent === null) {
        byStep.push(null);
        continue;
      }
      let node = parent.children[scope]?.get(name);
      if (node === undefined) {
        const earlier = passing ? meet(this.newcomers, nameOf(scope, name, record), { record, arrivedAtMs }) : [];
        if (earlier === null) {
          byStep.push(null);
          continue;
        }
        node = this.#add({ scope, key: name, above: parent, record, atMs, arrivedAtMs });
        if (earlier.length > 0) this.promoted.push({ node, earlier });
      }
      byStep.push(node);
      found.push(node);
    }
    for (const node of found) weigh(node, record, atMs, arrivedAtMs);
    return found;
  }
  readonly #lastFound: { readonly found: SeriesNode[]; readonly byStep: (SeriesNode | null)[] } = {
    found: [],
    byStep: [],
  };

  *nodes(): Generator<SeriesNode> {
    const waiting = [this.root];
    for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
      yield node;
      for (const scope of scopeNames) {
        const children = node.children[scope];
        if (children !== undefined) for (const child of children.values()) waiting.push(child);
      }
    }
  }

  #add(wanted: {
    readonly scope: Scope;
    readonly key: string;
    readonly above: SeriesNode;
    readonly record: UsageRecord;
    readonly atMs: number;
    readonly arrivedAtMs: number;
  }): SeriesNode {
    const { scope, key, above, record } = wanted;
    const kind = scopeRules[scope].passing ? "passing" : "lasting";
    if (this.#counts[kind] >= (kind === "passing" ? this.#limits.passingMax : this.#limits.seriesMax)) {
      this.#forget(kind === "passing", above);
    }
    const series = { ...above.series, ...scopeRules[scope].names(record) };
    const node = newNode(scope, key, series, above, wanted.atMs, wanted.arrivedAtMs);
    above.children[scope] ??= new Map();
    above.children[scope].set(key, node);
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
      node.parent?.children[node.scope]?.delete(node.key);
      this.#counts[passing ? "passing" : "lasting"]--;
    }
  }
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
    scope,
    key,
    series,
    parent,
    children: {},
    states: {},
    lastArrivalMs: arrivedAtMs,
    firstMs: atMs,
    latestMs: atMs,
    calls: 0,
    nanoUsd: 0,
    firing: [],
    alarmAge: 0,
    alarmAt: 0,
  };
}

function weigh(node: SeriesNode, record: UsageRecord, atMs: number, arrivedAtMs: number): void {
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
  return scopeNames.some((scope) => (node.children[scope]?.size ?? 0) > 0);
}

function withAncestors(scopes: ReadonlySet<Scope>): readonly Scope[] {
  const all = new Set<Scope>(["fleet"]);
  for (const scope of scopes) {
    for (let at: Scope | null = scope; at !== null; at = scopeRules[at].parent) all.add(at);
  }
  return scopeNames.filter((scope) => all.has(scope));
}
