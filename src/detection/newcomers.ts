/**
 * Runs, sessions and users that were met once or twice. Most are never met again, and a series of their own would cost
 * more than all else about their records: they get one with the third record, and then it is told of the first two.
 */

import type { UsageRecord } from "../model/usage-record.ts";

export interface Met {
  readonly record: UsageRecord;
  readonly arrivedAtMs: number;
}

/** By name, those met earliest first. Plain data. */
export type Newcomers = Map<string, Met[]>;

const meetingsMin = 3;
/** Beyond it the one that was first met first is forgotten: its next record is its first again. */
const newcomersMax = 4096;

/** @returns what came before, oldest first, when this is the meeting that makes a series; null before. */
export function meet(newcomers: Newcomers, name: string, met: Met): readonly Met[] | null {
  const earlier = newcomers.get(name);
  if (earlier === undefined) {
    if (newcomers.size >= newcomersMax) for (const oldest of newcomers.keys()) if (newcomers.delete(oldest)) break;
    newcomers.set(name, [met]);
    return null;
  }
  if (earlier.length < meetingsMin - 1) {
    earlier.push(met);
    return null;
  }
  newcomers.delete(name);
  return earlier;
}
