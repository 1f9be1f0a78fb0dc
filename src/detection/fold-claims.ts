/**
 * Where the claims of a cluster's detectors meet: in the order of their log they are folded into incidents, and findings
 * come out. Its state is plain data, so that the same log gives the same findings.
 */

import { deserialize, serialize } from "node:v8";
import { OtherVersionEntry } from "../event-log/unreadable-entry.ts";
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
import type { OpenJudge } from "./judge.ts";

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
  return encode({ version: 2, atMs, claims: [], accepted: [name] });
}

function encode(entry: ClaimsEntry): Uint8Array {
  return Buffer.from(JSON.stringify(entry));
}

/** An entry of the log of claims. @throws OtherVersionEntry. */
export function decodeClaims(payload: Uint8Array): ClaimsEntry {
  const entry = JSON.parse(Buffer.from(payload).toString()) as ClaimsEntry;
  if (entry.version === 1 || entry.version === 2) return entry;
  throw new OtherVersionEntry(
    `claims of version ${entry.version}, and this process reads versions 1 and 2: start the alerter of the version that the detectors have`,
  );
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
    return { findings, relearnt };
  };
  return {
    judge: async (entries) => entries.map(({ payload }) => [judgeEntry(decodeClaims(payload))]),
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
