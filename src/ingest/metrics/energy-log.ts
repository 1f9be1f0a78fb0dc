/** Measured energy into the usage log, where detectors read it: the same log then gives the same findings again. */

import type { UsageLog } from "../../event-log/usage-log.ts";
import type { EnergyReading } from "../../model/energy-reading.ts";
import type { FreshEntries } from "../fresh-entries.ts";
import { encodeUsageEntry, type UsageEntry } from "../usage-codec.ts";

export interface EnergyLogOptions {
  readonly usage: UsageLog;
  readonly fresh: FreshEntries<UsageEntry>;
  /** Runs when nothing else is committed; told the time of the entry that is appended. */
  readonly between: <Result>(work: (arrivedAtMs: number) => Promise<Result>) => Promise<Result>;
}

/** Appends one entry of its own, without records. Resolves when it is durable. */
export function appendEnergy(
  { usage, fresh, between }: EnergyLogOptions,
  readings: readonly EnergyReading[],
): Promise<void> {
  return between(async (arrivedAtMs) => {
    const entry: UsageEntry = { arrivedAtMs, records: [], readings };
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
