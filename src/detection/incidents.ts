/**
 * Claims become findings: one per incident. A claim of page goes out at once, unless an incident that is open already
 * explains it; a ticket waits a while for the page that may explain it. What an incident explains is folded into it.
 * Plain data, and all time is the log's.
 */

import type { Claim, Finding, FoldedClaim, IncidentName, Series } from "../model/finding.ts";

/** A claim with who made it and how loud it may be. */
export interface RaisedClaim extends Claim {
  readonly detector: string;
  readonly series: Series;
  readonly severity: "ticket" | "page";
  /** Whether the same detector also watches parts of this series, which may explain it. */
  readonly whole: boolean;
}

interface Waiting {
  /** Resolved when it is over by now: the page that explains it may come yet. */
  claim: RaisedClaim;
  readonly dueMs: number;
}

interface Incident {
  claim: RaisedClaim;
  /** Claims that it explains and that are firing, by their keys. */
  readonly folded: Record<string, FoldedClaim>;
  /** When it was resolved, by the log's clock; null while it is open. Its folded claims stay quiet after that. */
  endedMs: number | null;
  heardMs: number;
}

/** Of one tenant: what concerns different tenants never explains each other, and many incidents of many cost no search. */
interface TenantIncidents {
  /** By the key of the claim that waits. */
  readonly waiting: Record<string, Waiting>;
  /** By the key of the claim that tells the incident. */
  readonly incidents: Record<string, Incident>;
}

/** By tenant; what concerns no tenant stands under its own key. */
export type IncidentState = Map<string, TenantIncidents>;

export interface FoldSettings {
  /** How long a ticket waits for a page that explains it. */
  readonly ticketHoldMs: number;
  /** What a ticket about tokens or dollars must have cost to be told: it waits until it has, or is over. */
  readonly ticketNanoUsdMin: number;
  /** How long a page about a whole waits for its parts, since the lowest series that explains an incident names it. */
  readonly wholeHoldMs: number;
  /** Onsets of one incident lie this close, as different detectors date it. */
  readonly onsetToleranceMs: number;
  /** The parts explain the whole when they are this share of its dollars. */
  readonly explainedShareMin: number;
  /** An incident that nobody has spoken of for so long is over: its series was forgotten. */
  readonly silenceMsMax: number;
}

export const defaultFold: FoldSettings = {
  ticketHoldMs: 5 * 60_000,
  ticketNanoUsdMin: 250_000_000,
  wholeHoldMs: 60_000,
  onsetToleranceMs: 30 * 60_000,
  explainedShareMin: 0.8,
  silenceMsMax: 24 * 3_600_000,
};

/** Before the first claim. */
export function newIncidents(): IncidentState {
  return new Map();
}

/** Takes a claim at `nowMs` of the log's clock. @returns what is to be told. */
export function raise(all: IncidentState, claim: RaisedClaim, nowMs: number, settings: FoldSettings): Finding[] {
  const tenant = tenantOf(claim);
  const state = all.get(tenant) ?? { waiting: {}, incidents: {} };
  all.set(tenant, state);
  const key = keyOf(claim);
  if (claim.status === "resolved") return resolve(state, claim, nowMs, settings);
  const own = state.incidents[key];
  if (own !== undefined && own.endedMs === null) {
    Object.assign(own, { claim: asLoudAs(own.claim, claim), heardMs: nowMs });
    return [told(own)];
  }
  const host = Object.values(state.incidents).find((incident) => incident.folded[key] !== undefined);
  if (host !== undefined && (claim.severity === "ticket" || host.claim.severity === "page")) {
    host.folded[key] = folded(claim);
    return [];
  }
  const held = state.waiting[key];
  if (held !== undefined && held.claim.severity === claim.severity) {
    held.claim = claim;
    return [];
  }
  // A ticket that has become a page is heard anew: what it was folded into, or waited for, does not explain a page.
  if (host !== undefined) delete host.folded[key];
  delete state.waiting[key];
  return place(state, claim, nowMs, settings);
}

/**
 * Ends an open incident because somebody says that it is the new normal.
 * @returns what is to be told, and the claims whose baselines are to begin anew; null where no such incident is open.
 */
export function accept(
  all: IncidentState,
  name: IncidentName,
  nowMs: number,
): { readonly finding: Finding; readonly claims: readonly FoldedClaim[] } | null {
  const incident = all.get(tenantOf(name))?.incidents[keyOf(name)];
  if (incident === undefined || incident.endedMs !== null) return null;
  const claims = [folded(incident.claim), ...Object.values(incident.folded)];
  const evidence = { ...incident.claim.evidence, resolved_as: "accepted as the new normal" };
  const claim: RaisedClaim = { ...incident.claim, status: "resolved", atMs: nowMs, evidence };
  const finding = told({ ...incident, claim });
  Object.assign(incident, { claim, endedMs: nowMs, heardMs: nowMs, folded: {} });
  return { finding, claims };
}

/** Lets time pass: waiting claims whose time has come are told or folded, forgotten incidents end. */
export function passTime(all: IncidentState, nowMs: number, settings: FoldSettings): Finding[] {
  const findings: Finding[] = [];
  for (const [tenant, state] of all) {
    findings.push(...passTimeOf(state, nowMs, settings));
    if (Object.keys(state.waiting).length + Object.keys(state.incidents).length === 0) all.delete(tenant);
  }
  return findings;
}

function passTimeOf(state: TenantIncidents, nowMs: number, settings: FoldSettings): Finding[] {
  const findings: Finding[] = [];
  for (const [key, { claim, dueMs }] of Object.entries(state.waiting)) {
    // A claim that never says what it costs is told in any case.
    const cheap =
      claim.severity === "ticket" && claim.impactNanoUsd > 0 && claim.impactNanoUsd < settings.ticketNanoUsdMin;
    if (dueMs > nowMs || (cheap && isMoney(claim))) continue;
    delete state.waiting[key];
    const due = { ...claim, atMs: Math.max(claim.atMs, nowMs) };
    findings.push(...settle(state, { ...due, status: "firing" }, nowMs, settings));
    if (claim.status === "resolved") findings.push(...resolve(state, due, nowMs, settings));
  }
  for (const [key, incident] of Object.entries(state.incidents)) {
    const silent = nowMs - incident.heardMs > settings.silenceMsMax;
    if (silent && incident.endedMs === null) {
      incident.claim = { ...incident.claim, status: "resolved", atMs: nowMs };
      findings.push(told(incident));
    }
    const spent = incident.endedMs !== null && Object.keys(incident.folded).length === 0;
    if (silent || (spent && nowMs - (incident.endedMs ?? 0) > settings.onsetToleranceMs)) delete state.incidents[key];
  }
  return findings;
}

function resolve(state: TenantIncidents, claim: RaisedClaim, nowMs: number, settings: FoldSettings): Finding[] {
  const key = keyOf(claim);
  const held = state.waiting[key];
  if (held !== undefined && claim.impactNanoUsd >= settings.ticketNanoUsdMin) held.claim = claim;
  else delete state.waiting[key];
  for (const incident of Object.values(state.incidents)) delete incident.folded[key];
  const own = state.incidents[key];
  if (own === undefined || own.endedMs !== null) return [];
  Object.assign(own, { claim: asLoudAs(own.claim, claim), heardMs: nowMs, endedMs: nowMs });
  return [told(own)];
}

/** A claim that is heard for the first time. */
function place(state: TenantIncidents, claim: RaisedClaim, nowMs: number, settings: FoldSettings): Finding[] {
  const related = relatedTo(state, claim, nowMs, settings);
  if (related.some((incident) => explains(incident, claim))) return settle(state, claim, nowMs, settings);
  const holdMs = claim.severity === "ticket" ? settings.ticketHoldMs : settings.wholeHoldMs;
  if (claim.severity === "page" && !claim.whole) return settle(state, claim, nowMs, settings);
  state.waiting[keyOf(claim)] = { claim, dueMs: nowMs + holdMs };
  return [];
}

/** Folds a claim into what explains it, or opens an incident, which takes along the waiting claims that it explains. */
function settle(state: TenantIncidents, claim: RaisedClaim, nowMs: number, settings: FoldSettings): Finding[] {
  const related = relatedTo(state, claim, nowMs, settings);
  const host = related.find((incident) => explains(incident, claim)) ?? partsExplain(related, claim, settings);
  if (host !== undefined) {
    host.folded[keyOf(claim)] = folded(claim);
    return [];
  }
  const incident: Incident = { claim, folded: {}, endedMs: null, heardMs: nowMs };
  state.incidents[keyOf(claim)] = incident;
  const over: FoldedClaim[] = [];
  for (const [key, held] of Object.entries(state.waiting)) {
    if (!near(incident, held.claim, nowMs, settings) || !explains(incident, held.claim)) continue;
    if (held.claim.status === "firing") incident.folded[key] = folded(held.claim);
    else over.push(folded(held.claim));
    delete state.waiting[key];
  }
  const finding = told(incident);
  return [{ ...finding, folded: [...finding.folded, ...over] }];
}

/** Once a page, a page to its end. */
function asLoudAs({ severity }: RaisedClaim, claim: RaisedClaim): RaisedClaim {
  return severity === "page" ? { ...claim, severity } : claim;
}

function relatedTo(
  state: TenantIncidents,
  claim: RaisedClaim,
  nowMs: number,
  settings: FoldSettings,
): readonly Incident[] {
  return Object.values(state.incidents).filter((incident) => near(incident, claim, nowMs, settings));
}

/** Whether the claim may be about the incident: of its lineage, and begun while it lasted. */
function near(incident: Incident, claim: RaisedClaim, nowMs: number, settings: FoldSettings): boolean {
  const { onsetMs, series } = incident.claim;
  const endMs = incident.endedMs === null ? nowMs : incident.endedMs;
  const begun = claim.onsetMs >= onsetMs - settings.onsetToleranceMs && claim.onsetMs <= Math.max(endMs, onsetMs);
  return begun && sameBranch(series, claim.series);
}

/** A page explains any ticket of its branch; otherwise the wider series explains the narrower one. */
function explains({ claim: told }: Incident, claim: RaisedClaim): boolean {
  if (claim.severity === "page" && told.severity !== "page") return false;
  return claim.severity === "ticket" || within(claim.series, told.series);
}

/** Parts that were told first explain the whole when they are most of its dollars. @returns the largest of them. */
function partsExplain(related: readonly Incident[], claim: RaisedClaim, settings: FoldSettings): Incident | undefined {
  const parts = related.filter(
    ({ claim: part }) =>
      part.severity === claim.severity && part.impactNanoUsd > 0 && within(part.series, claim.series),
  );
  const sum = parts.reduce((total, { claim: part }) => total + part.impactNanoUsd, 0);
  if (parts.length === 0 || sum < settings.explainedShareMin * claim.impactNanoUsd) return undefined;
  return parts.reduce((largest, part) => (part.claim.impactNanoUsd > largest.claim.impactNanoUsd ? part : largest));
}

function isMoney({ unit }: RaisedClaim): boolean {
  return unit === "tokens_per_call" || unit.startsWith("nano_usd");
}

/** No name that both have differs, but models, prompts and runs of one feature are one branch. */
function sameBranch(a: Series, b: Series): boolean {
  return a.tenant === b.tenant && (a.feature === undefined || b.feature === undefined || a.feature === b.feature);
}

function within(narrow: Series, wide: Series): boolean {
  const names = Object.keys(wide) as (keyof Series)[];
  return names.every((name) => wide[name] === narrow[name]);
}

function told({ claim, folded: parts }: Incident): Finding {
  const { whole: _whole, ...rest } = claim;
  return { ...rest, folded: Object.values(parts) };
}

function folded({ detector, kind, series, effect, onsetMs }: RaisedClaim): FoldedClaim {
  return { detector, kind, series, effect, onsetMs };
}

/** No tenant's name has a line end in front: a claim about all of them stands apart. */
function tenantOf({ series }: IncidentName): string {
  return series.tenant ?? "\nall";
}

function keyOf({ kind, series }: IncidentName): string {
  const names = Object.keys(series).sort() as (keyof Series)[];
  return JSON.stringify([kind, ...names.map((name) => [name, series[name]])]);
}
