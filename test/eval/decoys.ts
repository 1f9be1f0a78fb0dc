/** What looks odd and is no incident: gaps, backfills, wrong clocks, repeats. Each changes how a recorded hour arrives. */

import { type Arrival, arrivalsOf } from "../../src/detection/backtest.ts";
import type { UsageRecord } from "../../src/model/usage-record.ts";

export interface Decoy {
  readonly name: string;
  readonly change: (records: readonly UsageRecord[], random: () => number) => Iterable<Arrival>;
}

const minuteMs = 60_000;

export const decoys: readonly Decoy[] = [
  { name: "as recorded", change: (records) => arrivalsOf(records) },
  {
    name: "gap of 10 minutes",
    change: (records, random) => {
      const [from, until] = stretch(records, random, 10);
      return arrivalsOf(records.filter(({ endUs }) => endUs / 1000 < from || endUs / 1000 >= until));
    },
  },
  {
    name: "backfill: 10 minutes come 10 minutes late",
    change: (records, random) => {
      const [from, until] = stretch(records, random, 10);
      return arriving(records, (atMs) => (atMs >= from && atMs < until ? until + 10 * minuteMs : atMs));
    },
  },
  {
    name: "arrival jitter, 5 s on average",
    change: (records, random) => arriving(records, (atMs) => atMs - 5000 * Math.log(1 - random())),
  },
  {
    name: "1 % of clocks a day ahead",
    change: (records, random) =>
      [...arrivalsOf(records)].map(({ record, arrivedAtMs }) => {
        if (random() >= 0.01) return { record, arrivedAtMs };
        return { arrivedAtMs, record: { ...record, endUs: record.endUs + 86_400_000_000 } };
      }),
  },
  {
    name: "traffic doubles over half an hour, costs per call as ever",
    change: (records, random) => {
      const [first = 0, last = 0] = [records[0]?.endUs, records.at(-1)?.endUs];
      const doubled = records.flatMap((record, index) => {
        const share = Math.min(1, Math.max(0, ((record.endUs - first) / (last - first) - 0.4) * 2));
        return random() < share ? [record, { ...record, spanId: index.toString(16).padStart(16, "f") }] : [record];
      });
      return arrivalsOf(doubled);
    },
  },
];

/** A stretch of so many minutes in the middle third. */
function stretch(records: readonly UsageRecord[], random: () => number, minutes: number): readonly [number, number] {
  const [first = 0, last = 0] = [records[0]?.endUs, records.at(-1)?.endUs];
  const from = (first + (last - first) * (1 / 3 + random() / 3)) / 1000;
  return [from, from + minutes * minuteMs];
}

/** Records in the order in which they arrive. */
function arriving(records: readonly UsageRecord[], arrivalOf: (atMs: number) => number): readonly Arrival[] {
  return records
    .map((record) => ({ record, arrivedAtMs: arrivalOf(record.endUs / 1000) }))
    .sort((a, b) => a.arrivedAtMs - b.arrivedAtMs);
}
