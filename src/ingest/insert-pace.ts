/**
 * Where the next insert goes and how soon: a server delays inserts, and in the end refuses them, where a table has more
 * parts than it can merge. So the writer makes fewer and larger inserts before that.
 */

import type { PartPressure } from "../store/part-pressure.ts";
import type { Store } from "../store/store.ts";
import { pause } from "./pause.ts";

/** What so many parts are worth. */
export interface Pace {
  /** Before the next insert. */
  readonly waitMs: number;
  /** How many times as many rows it may have. */
  readonly rowsFactor: number;
  /** False where the next insert might be refused. */
  readonly hasRoom: boolean;
}

/** Below half of the parts from which on the server delays inserts nothing changes. */
const easyShare = 0.5;
const waitMsMax = 30_000;
const rowsFactorMax = 5;
/** Others insert as well, unseen until the next look. */
const reserveShare = 0.2;
const lookAgainMs = 1000;

/** Pure. Waits and rows grow evenly between half of the threshold and all of it. */
export function paceOf({ parts, delayAt, throwAt }: PartPressure): Pace {
  const share = Math.min(1, Math.max(0, (parts / delayAt - easyShare) / (1 - easyShare)));
  return {
    waitMs: Math.round(share * waitMsMax),
    rowsFactor: 1 + share * (rowsFactorMax - 1),
    hasRoom: parts < Math.floor(throwAt * (1 - reserveShare)),
  };
}

export interface InsertQuestion {
  /** In the order in which they are wanted; one at least. */
  readonly shards: readonly string[];
  readonly rowsMax: number;
  readonly signal: AbortSignal;
  readonly slowed: (shard: string, waitMs: number) => void;
}

/**
 * The first shard that answers and has room, and the rows its next insert may have; where none answers, the first: its
 * plan waits for it. Resolves when it is time for the insert; undefined when the signal came first.
 */
export async function placeForInsert(
  store: Pick<Store, "partPressure">,
  { shards, rowsMax, signal, slowed }: InsertQuestion,
): Promise<{ readonly shard: string; readonly rowsMax: number } | undefined> {
  while (!signal.aborted) {
    let full: string | undefined;
    for (const shard of shards) {
      const pressure = await store.partPressure(shard).catch(() => undefined);
      if (pressure === undefined) continue;
      const pace = paceOf(pressure);
      if (!pace.hasRoom) full ??= shard;
      if (!pace.hasRoom) continue;
      if (pace.waitMs > 0) {
        slowed(shard, pace.waitMs);
        await pause(pace.waitMs, signal);
      }
      return { shard, rowsMax: Math.round(rowsMax * pace.rowsFactor) };
    }
    const [first = ""] = shards;
    if (full === undefined) return { shard: first, rowsMax };
    slowed(full, lookAgainMs);
    await pause(lookAgainMs, signal);
  }
  return undefined;
}
