/** Measured energy through a real log: between the resolver's steps, at the log's time, and there after a restart. */

import { expect, it } from "vitest";
import { openResolverRig } from "../../../test/support/resolver.ts";
import { FreshEntries } from "../fresh-entries.ts";
import type { UsageEntry } from "../usage-codec.ts";
import { decodeUsageEntry } from "../usage-codec.ts";
import { appendEnergy } from "./energy-log.ts";

const startMs = Date.UTC(2026, 10, 20, 12);

it("is an entry of its own among the records, in the log's time, and survives a restart", async () => {
  const rig = openResolverRig(startMs);
  const readings = [{ instance: "gpu-1", fromUs: (startMs - 60_000) * 1000, toUs: startMs * 1000, joules: 24_000 }];
  const fresh = new FreshEntries<UsageEntry>(8);
  await appendEnergy({ usage: rig.usage(), fresh, between: (work) => rig.between(work) }, readings);
  await rig.restart();
  const entries = (await rig.usage().entries.read(0, 100)).map(({ offset, payload }) => ({
    offset,
    entry: decodeUsageEntry(payload),
  }));
  const times = entries.map(({ entry }) => entry.arrivedAtMs);
  expect(times).toEqual([...times].sort((a, b) => a - b));
  const measured = entries.filter(({ entry }) => entry.readings !== undefined);
  expect(measured.map(({ entry }) => entry)).toEqual([{ arrivedAtMs: expect.any(Number), records: [], readings }]);
  expect(fresh.get(measured[0]?.offset ?? -1)).toEqual(measured[0]?.entry);
  await rig.close();
});
