/**
 * Where the claims of a cluster's detectors meet: in the order of their log they are folded into incidents, and findings
 * come out. Its state is plain data, so that the same log gives the same findings.
 */

import { deserialize, serialize } from "node:v8";
import { CorruptEntry, checkVersion } from "../event-log/unreadable-entry.ts";
import type { Finding } from "../model/finding.ts";
import { defaultFold, type IncidentState, newIncidents, passTime, type RaisedClaim, raise } from "./incidents.ts";
import { type OpenJudge, readable, type UnreadableEntry } from "./judge.ts";

const version = 1;

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

/** What is told of one entry, also where there are no findings. */
export interface Folded {
  readonly findings: readonly Finding[];
  /** What no version can have written: to be put aside. */
  readonly unreadable: UnreadableEntry | null;
}

/** A judge of the log of claims in this thread. */
export const foldClaims: OpenJudge<Folded> = (snapshot) => {
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
  const foldReadable = (payload: Uint8Array): Folded =>
    readable<Folded>(
      payload,
      () => ({ findings: judgeEntry(decodeClaims(payload)), unreadable: null }),
      (unreadable) => ({ findings: [], unreadable }),
    );
  return {
    judge: async (entries) => entries.map(({ payload }) => [foldReadable(payload)]),
    snapshot: async () => serialize({ incidents, clockMs } satisfies Saved),
    seriesCount: () => 0,
    close: async () => {},
  };
};
