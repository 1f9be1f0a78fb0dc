/** What each scope groups by: its parent, the key among its siblings, and the names it adds to a series. */

import type { Scope } from "../../detectors/detector.ts";
import type { Series } from "../model/finding.ts";
import type { UsageRecord } from "../model/usage-record.ts";

export interface ScopeRule {
  readonly parent: Scope | null;
  /** Null where the record has no such name. */
  readonly key: (record: UsageRecord) => string | null;
  readonly names: (record: UsageRecord) => Series;
  /** Scopes that come and go (runs, sessions, users) are bounded apart, and the one silent for longest goes first. */
  readonly passing: boolean;
  /** Such series begin with a measurement of theirs, and not with a record. */
  readonly measured: boolean;
}

/** Wider scopes stand before narrower ones. */
export const scopeRules: Readonly<Record<Scope, ScopeRule>> = {
  fleet: { parent: null, key: () => "", names: () => ({}), passing: false, measured: false },
  provider: {
    parent: "fleet",
    key: ({ provider, model }) => (model === "" ? null : providerKey(provider, model)),
    names: ({ provider, model }) => ({ provider, model }),
    passing: false,
    measured: false,
  },
  tenant: {
    parent: "fleet",
    key: ({ tenant }) => tenant,
    names: ({ tenant }) => ({ tenant }),
    passing: false,
    measured: false,
  },
  feature: {
    parent: "tenant",
    key: ({ feature }) => feature,
    names: ({ feature }) => (feature === "" ? {} : { feature }),
    passing: false,
    measured: false,
  },
  model: {
    parent: "feature",
    key: ({ model }) => named(model),
    names: ({ model }) => ({ model }),
    passing: false,
    measured: false,
  },
  prompt: {
    parent: "feature",
    key: ({ promptName }) => named(promptName),
    names: ({ promptName }) => ({ promptName }),
    passing: false,
    measured: false,
  },
  user: {
    parent: "tenant",
    key: ({ user }) => named(user),
    names: ({ user }) => ({ user }),
    passing: true,
    measured: false,
  },
  session: {
    parent: "tenant",
    key: ({ session }) => named(session),
    names: ({ session }) => ({ session }),
    passing: true,
    measured: false,
  },
  // Under its feature, whose tools' habits it is judged by: a run of two features is two series.
  run: {
    parent: "feature",
    key: ({ run }) => named(run),
    names: ({ run }) => ({ run }),
    passing: true,
    measured: false,
  },
  instance: {
    parent: "fleet",
    key: ({ instance }) => named(instance),
    names: ({ instance }) => ({ instance }),
    passing: false,
    measured: true,
  },
};

export const scopeNames = Object.keys(scopeRules) as readonly Scope[];

/** Texts of keys by provider and model: to put one together, and to hash it, for each record takes longer than to look it up. */
const providerKeys = new Map<string, Map<string, string>>();
const providerKeysMax = 1000;

function providerKey(provider: string, model: string): string {
  let keys = providerKeys.get(provider);
  if (keys === undefined) {
    if (providerKeys.size >= providerKeysMax) providerKeys.clear();
    keys = new Map();
    providerKeys.set(provider, keys);
  }
  const known = keys.get(model);
  if (known !== undefined) return known;
  if (keys.size >= providerKeysMax) keys.clear();
  const key = `${provider}/${model}`;
  keys.set(model, key);
  return key;
}

function named(name: string): string | null {
  return name === "" ? null : name;
}
