/** What is said beside records, through a real log: between the resolver's steps, at the log's time, there after a restart. */

import { expect, it } from "vitest";
import { openResolverRig } from "../../test/support/resolver.ts";
import { FreshEntries } from "./fresh-entries.ts";
import { sayBetween } from "./say-between.ts";
import { decodeUsageEntry, type UsageEntry } from "./usage-codec.ts";

const startMs = Date.UTC(2026, 10, 20, 12);

it.each([
  { readings: [{ instance: "gpu-1", fromUs: (startMs - 60_000) * 1000, toUs: startMs * 1000, joules: 24_000 }] },
  { accepted: [{ kind: "spend_above_baseline", series: { tenant: "acme" } }] },
])("%j is an entry of its own among the records, in the log's time, and survives a restart", async (said) => {
  const rig = openResolverRig(startMs);
  const fresh = new FreshEntries<UsageEntry>(8);
  await sayBetween({ usage: rig.usage(), fresh, between: (work) => rig.between(work) }, said);
  await rig.restart();
  const entries = (await rig.usage().entries.read(0, 100)).map(({ offset, payload }) => ({
    offset,
    entry: decodeUsageEntry(payload),
  }));
  const times = entries.map(({ entry }) => entry.arrivedAtMs);
  expect(times).toEqual([...times].sort((a, b) => a - b));
  const heard = entries.filter(({ entry }) => entry.readings !== undefined || entry.accepted !== undefined);
  expect(heard.map(({ entry }) => entry)).toEqual([{ arrivedAtMs: expect.any(Number), records: [], ...said }]);
  expect(fresh.get(heard[0]?.offset ?? -1)).toEqual(heard[0]?.entry);
  await rig.close();
});
