/**
 * Where the claims of a cluster's detectors meet: in the order of their log they are folded into incidents, and findings
 * come out. Its state is plain data, so that the same log gives the same findings.
 */

import { deserialize, serialize } from "node:v8";
import { OtherVersionEntry } from "../event-log/unreadable-entry.ts";
import type { Finding } from "../model/finding.ts";
import { defaultFold, type IncidentState, newIncidents, passTime, type RaisedClaim, raise } from "./incidents.ts";
import type { OpenJudge } from "./judge.ts";

/** An entry of the log of claims; without claims it only tells the time. */
export interface ClaimsEntry {
  readonly version: 1;
  /** When what was judged had arrived. */
  readonly atMs: number;
  readonly claims: readonly RaisedClaim[];
}

interface Saved {
  readonly incidents: IncidentState;
  readonly clockMs: number;
}

/** Claims as they are written into their log. */
export function encodeClaims(atMs: number, claims: readonly RaisedClaim[]): Uint8Array {
  return Buffer.from(JSON.stringify({ version: 1, atMs, claims } satisfies ClaimsEntry));
}

function decodeClaims(payload: Uint8Array): ClaimsEntry {
  const entry = JSON.parse(Buffer.from(payload).toString()) as ClaimsEntry;
  if (entry.version === 1) return entry;
  throw new OtherVersionEntry(
    `claims of version ${entry.version}, and this process reads version 1: start the alerter of the version that the detectors have`,
  );
}

/** A judge of the log of claims in this thread. It tells the findings of each entry as one, also where there are none. */
export const foldClaims: OpenJudge<readonly Finding[]> = (snapshot) => {
  const saved = snapshot === undefined ? undefined : (deserialize(snapshot) as Saved);
  const incidents = saved?.incidents ?? newIncidents();
  // Detectors write side by side: the clock is the furthest of theirs.
  let clockMs = saved?.clockMs ?? 0;
  const judgeEntry = ({ atMs, claims }: ClaimsEntry): readonly Finding[] => {
    clockMs = Math.max(clockMs, atMs);
    const findings = passTime(incidents, clockMs, defaultFold);
    for (const claim of claims) findings.push(...raise(incidents, claim, clockMs, defaultFold));
    return findings;
  };
  return {
    judge: async (entries) => entries.map(({ payload }) => [judgeEntry(decodeClaims(payload))]),
    snapshot: async () => serialize({ incidents, clockMs } satisfies Saved),
    seriesCount: () => 0,
    close: async () => {},
  };
};
