/** The first null suite: exchangeable values. The theorem says at most N / A alarms in N records; this counts them. */

import { addTrial, defaultRate, newRate } from "../../detectors/rate.ts";
import { addValue, defaultShift, newShift, type ShiftSettings } from "../../detectors/shift.ts";
import type { Cell } from "../bench/bench.ts";
import type { Evaluation } from "./eval.ts";
import { sizes, streamNames } from "./protocol.ts";
import { poissonInterval } from "./run-length.ts";
import { randomOf, readStreams, type Sample } from "./samples.ts";

const never = { newNormalCalls: Number.POSITIVE_INFINITY, newNormalHours: Number.POSITIVE_INFINITY };
const plain: ShiftSettings = {
  ...defaultShift,
  ...never,
  marginMin: 0,
  wanderFactor: 0,
  referenceMin: 30,
  referenceMinutesMin: 0,
  halfLifeDays: 1e6,
  meanRatioMin: 0,
};
const shipped: ShiftSettings = { ...defaultShift, ...never };
const levels = [1e4, 1e5, 1e7] as const;
/** Records of one series before it begins anew: cold starts are where bounds break. */
const seriesRecords = 20_000;

export const theorem: Evaluation = {
  name: "theorem",
  summary: "alarms on exchangeable data against the bound N / A",
  async run({ size, progress }) {
    const streams = await readStreams();
    const records = Math.round(sizes[size].theoremRecords / 12);
    const rows: Cell[][] = [];
    for (const [index, stream] of streamNames.entries()) {
      const samples = streams.get(stream)?.holdout ?? [];
      for (const [label, settings] of [
        ["no margin", plain],
        ["as shipped", shipped],
      ] as const) {
        progress(index / streamNames.length, `${stream}, ${label}`);
        await new Promise((resolve) => setImmediate(resolve));
        for (const level of levels) {
          const counted = shiftAlarms(samples, settings, level, records / levels.length, `${stream} ${label} ${level}`);
          rows.push(row(`shift, ${label}`, stream, level, records / levels.length, counted));
        }
      }
    }
    for (const rate of [0.001, 0.05, 0.5]) {
      for (const level of [1e4, 1e5]) {
        const counted = rateAlarms(rate, level, records, `rate ${rate} ${level}`);
        rows.push(row("rate, as shipped", `p = ${rate}`, level, records, counted));
      }
    }
    rows.unshift(...totals(rows));
    const columns = [
      { title: "test" },
      { title: "stream" },
      { title: "A" },
      { title: "records", digits: 0 },
      { title: "bound N/A", digits: 1 },
      { title: "alarms", digits: 0 },
      { title: "95 % interval" },
      { title: "holds" },
    ];
    const notes = [
      `Bootstrap of the second half; series of ${seriesRecords} records, each from a cold start. It holds unless the whole interval lies above the bound.`,
    ];
    return { tables: [{ title: "alarms on exchangeable data", columns, rows, notes }], plots: [] };
  },
};

/** Over all streams, by test and level: single cells expect less than one alarm at high levels. */
function totals(rows: readonly Cell[][]): Cell[][] {
  const groups = new Map<string, { records: number; alarms: number; test: string; level: number }>();
  for (const [test, , level, records, , alarms] of rows) {
    const key = `${test} ${level}`;
    const group = groups.get(key) ?? { records: 0, alarms: 0, test: String(test), level: Number(level) };
    group.records += Number(records);
    group.alarms += Number(alarms);
    groups.set(key, group);
  }
  return [...groups.values()].map(({ test, level, records, alarms }) => row(test, "all", level, records, alarms));
}

function row(test: string, stream: string, level: number, records: number, alarms: number): Cell[] {
  const bound = records / level;
  const [low, high] = poissonInterval(alarms);
  const interval = `${low.toFixed(1)} to ${high.toFixed(1)}`;
  return [
    test,
    stream,
    level.toExponential(0),
    Math.round(records),
    bound,
    alarms,
    interval,
    low <= bound ? "yes" : "NO",
  ];
}

function shiftAlarms(
  samples: readonly Sample[],
  settings: ShiftSettings,
  level: number,
  records: number,
  name: string,
): number {
  const random = randomOf(name);
  let [state, alarms] = [newShift(), 0];
  for (let i = 0; i < records; i++) {
    if (i % seriesRecords === 0) state = newShift();
    const value = samples[Math.floor(random() * samples.length)]?.value ?? 0;
    // One call a second: the shipped settings want a quarter of an hour of reference.
    const call = { atMs: 1e12 + i * 1000, nanoUsd: 0, tieBreak: random(), record: { traceId: "" } };
    if (addValue(state, value, call, level, settings)?.status !== "firing") continue;
    alarms++;
    state = newShift();
  }
  return alarms;
}

function rateAlarms(rate: number, level: number, records: number, name: string): number {
  const random = randomOf(name);
  let [state, alarms] = [newRate(), 0];
  for (let i = 0; i < records; i++) {
    if (i % seriesRecords === 0) state = newRate();
    const seen = { hit: random() < rate, atMs: 1e12 + i * 1000, nanoUsd: 0, traceId: "" };
    if (addTrial(state, seen, level, { ...defaultRate, ...never })?.status !== "firing") continue;
    alarms++;
    state = newRate();
  }
  return alarms;
}
