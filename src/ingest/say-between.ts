/** What is said to the detectors apart from records: an entry of the usage log, so that the same log says it again. */

import type { UsageLog } from "../event-log/usage-log.ts";
import type { FreshEntries } from "./fresh-entries.ts";
import type { Said } from "./said-codec.ts";
import { encodeUsageEntry, type UsageEntry } from "./usage-codec.ts";

export interface SayOptions {
  readonly usage: UsageLog;
  readonly fresh: FreshEntries<UsageEntry>;
  /** Runs when nothing else is committed; told the time of the entry that is appended. */
  readonly between: <Result>(work: (arrivedAtMs: number) => Promise<Result>) => Promise<Result>;
}

/** Appends an entry without records between two steps of the resolver. Resolves when it is durable. */
export function sayBetween({ usage, fresh, between }: SayOptions, said: Said): Promise<void> {
  return between(async (arrivedAtMs) => {
    const entry: UsageEntry = { arrivedAtMs, records: [], ...said };
    const [offset = 0] = await usage.commit({
      inputOffset: usage.inputOffset(),
      arrivedAtMs,
      entries: [{ partition: 0, payload: encodeUsageEntry(entry) }],
      traces: new Map(),
      wrappers: new Map(),
      state: {},
    });
    fresh.put(offset, entry);
  });
}
