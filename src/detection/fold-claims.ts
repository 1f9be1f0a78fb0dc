/**
 * Where the claims of a cluster's detectors meet: in the order of their log they are folded into incidents, and findings
 * come out. Its state is plain data, so that the same log gives the same findings.
 */

import { deserialize, serialize } from "node:v8";
import { CorruptEntry, checkVersion } from "../event-log/unreadable-entry.ts";
import type { ClaimName, Finding, IncidentName } from "../model/finding.ts";
import {
  accept,
  defaultFold,
  type IncidentState,
  newIncidents,
  passTime,
  type RaisedClaim,
  raise,
} from "./incidents.ts";
import { type OpenJudge, readable, type UnreadableEntry } from "./judge.ts";

const version = 2;

/** An entry of the log of claims; without claims it only tells the time. */
export interface ClaimsEntry {
  /** 2 where something is accepted: who reads only version 1 must not pass over it. */
  readonly version: 1 | 2;
  /** When what was judged had arrived. */
  readonly atMs: number;
  readonly claims: readonly RaisedClaim[];
  /** Incidents that somebody calls the new normal. */
  readonly accepted?: readonly IncidentName[];
}

/** What follows from an entry. */
export interface Folded {
  readonly findings: readonly Finding[];
  /** What detectors are to learn anew. */
  readonly relearnt: readonly ClaimName[];
  /** What no version can have written: to be put aside. */
  readonly unreadable: UnreadableEntry | null;
}

/** A claim of an accepted incident. Its detector may claim it again before it hears of that. */
interface Accepted {
  readonly key: string;
  readonly atMs: number;
}

interface Saved {
  readonly incidents: IncidentState;
  readonly clockMs: number;
  /** Snapshots of older versions do not have it. */
  readonly accepted?: readonly Accepted[];
}

/** Longer than a detector takes to hear; shorter than it takes to learn a series anew. */
const unheardMsMax = 10 * 60_000;

/** Claims as they are written into their log. */
export function encodeClaims(atMs: number, claims: readonly RaisedClaim[]): Uint8Array {
  return encode({ version: 1, atMs, claims });
}

/** Somebody's word that an incident is the new normal, as it is written among the claims. */
export function encodeAccepted(atMs: number, name: IncidentName): Uint8Array {
  return encode({ version, atMs, claims: [], accepted: [name] });
}

function encode(entry: ClaimsEntry): Uint8Array {
  return Buffer.from(JSON.stringify(entry));
}

/** An entry of the log of claims. @throws OtherVersionEntry, CorruptEntry. */
export function decodeClaims(payload: Uint8Array): ClaimsEntry {
  const entry = jsonOf(payload) as Partial<ClaimsEntry> | null;
  checkVersion("claims", entry?.version, version);
  if (typeof entry?.atMs === "number" && Array.isArray(entry.claims)) return entry as ClaimsEntry;
  throw new CorruptEntry("claims: neither a time nor a list");
}

function jsonOf(payload: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(payload).toString());
  } catch (error) {
    throw new CorruptEntry(`claims: a corrupt entry of ${payload.length} bytes: no JSON`, { cause: error });
  }
}

/** A judge of the log of claims in this thread. It tells what follows from each entry as one, also where that is nothing. */
export const foldClaims: OpenJudge<Folded> = (snapshot) => {
  const saved = snapshot === undefined ? undefined : (deserialize(snapshot) as Saved);
  const incidents = saved?.incidents ?? newIncidents();
  // Detectors write side by side: the clock is the furthest of theirs.
  let clockMs = saved?.clockMs ?? 0;
  let accepted = saved?.accepted ?? [];
  const judgeEntry = ({ atMs, claims, accepted: names = [] }: ClaimsEntry): Folded => {
    clockMs = Math.max(clockMs, atMs);
    const findings = passTime(incidents, clockMs, defaultFold);
    const relearnt: ClaimName[] = [];
    for (const name of names) {
      const ended = accept(incidents, name, clockMs);
      if (ended === null) continue;
      findings.push(ended.finding);
      relearnt.push(...ended.claims.map(({ detector, kind, series }) => ({ detector, kind, series })));
    }
    accepted = [
      ...accepted.filter((one) => clockMs - one.atMs < unheardMsMax),
      ...relearnt.map((name) => ({ key: keyOf(name), atMs: clockMs })),
    ];
    for (const claim of claims)
      if (!isUnheard(accepted, claim)) findings.push(...raise(incidents, claim, clockMs, defaultFold));
    return { findings, relearnt, unreadable: null };
  };
  const foldReadable = (payload: Uint8Array): Folded =>
    readable<Folded>(
      payload,
      () => judgeEntry(decodeClaims(payload)),
      (unreadable) => ({ findings: [], relearnt: [], unreadable }),
    );
  return {
    judge: async (entries) => entries.map(({ payload }) => [foldReadable(payload)]),
    snapshot: async () => serialize({ incidents, clockMs, accepted } satisfies Saved),
    seriesCount: () => 0,
    close: async () => {},
  };
};

/** Whether the claim was made before its detector heard that it is the new normal. */
function isUnheard(accepted: readonly Accepted[], claim: RaisedClaim): boolean {
  const key = accepted.length === 0 ? "" : keyOf(claim);
  return accepted.some((one) => one.key === key && claim.onsetMs <= one.atMs);
}

function keyOf({ detector, kind, series }: ClaimName): string {
  return JSON.stringify([detector, kind, Object.entries(series).sort()]);
}
