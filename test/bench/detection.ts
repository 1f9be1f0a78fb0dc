/** How fast all detectors judge records, per core, with 100,000 series in memory; and what a series takes. */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { detectors } from "../../detectors/detectors.ts";
import { seededRandom, usageRecord } from "../../detectors/observation-samples.ts";
import { Watcher } from "../../src/detection/watcher.ts";
import type { UsageRecord } from "../../src/model/usage-record.ts";
import type { Bench, Cell } from "./bench.ts";
import { median } from "./statistics.ts";

const tenants = 500;
const featuresPerTenant = 33;
const modelsPerFeature = 5;
const recordsPerRound = 200_000;
const rounds = 5;
const startMs = Date.UTC(2026, 0, 5, 9);
/** The series are filled over so long a time of the log: an hour's windows are closed and kept. */
const fillingMs = 75 * 60_000;
/** Records are made in blocks outside the measured time, so that making them is not measured. */
const blockRecords = 20_000;

export const detection: Bench = {
  name: "detection",
  summary: "records judged by all detectors over 100,000 series, per core",
  async run({ progress }) {
    const features = tenants * featuresPerTenant * modelsPerFeature;
    const limits = { seriesMax: 1_000_000, passingMax: 100_000 };
    const watcher = new Watcher({ detectors, choices: {}, limits });
    const random = seededRandom(5);
    let atMs = startMs;
    let costShare = 1;
    let stepMs = fillingMs / (12 * features);
    const block = (choose: (index: number) => number) =>
      Array.from({ length: blockRecords }, (_, index) => {
        atMs += stepMs;
        return recordOf(choose(index), atMs, costShare, random);
      });
    const before = memoryBytes();
    progress("filling 100,000 series with 12 records each");
    let filled = 0;
    for (let each = 0; each < 12 * features; each += blockRecords) {
      for (const record of block((index) => (filled + index) % features)) watcher.observe(record, atMs);
      filled += blockRecords;
      watcher.tick(atMs);
    }
    // From here on the clock of the log runs as it does at 250,000 records a second.
    // A call costs as much less as they come faster, so that spend goes on as before and nothing is on fire.
    const slowed = stepMs * 250;
    stepMs = 1 / 250;
    costShare = 1 / slowed;
    const bytes = (memoryBytes() - before) / watcher.seriesCount;
    const rows: Cell[][] = [];
    for (const [name, choose] of [
      ["every series in turn", (index: number) => (filled + index * 7919) % features],
      ["Zipf: few series have most calls", () => Math.floor(features ** random()) - 1],
    ] as const) {
      progress(name);
      await new Promise((resolve) => setImmediate(resolve));
      const usEach = measure(watcher, () => block(choose));
      rows.push([name, watcher.seriesCount, usEach, 1e6 / usEach, bytes]);
    }
    const startedMs = performance.now();
    const snapshot = watcher.snapshot();
    const snapshotMs = performance.now() - startedMs;
    return [
      {
        title: "all detectors over all series",
        columns: [
          { title: "records come from" },
          { title: "series", digits: 0 },
          { title: "CPU us/record", digits: 2 },
          { title: "records/s", digits: 0 },
          { title: "bytes/series", digits: 0 },
        ],
        rows,
        notes: [
          `Medians of ${rounds} rounds of ${recordsPerRound} records, each of a tenant, a feature and a model, on one core; ticks included, decoding not.`,
          `A snapshot of all state took ${Math.round(snapshotMs)} ms and ${Math.round(snapshot.length / 1e6)} MB.`,
        ],
      },
    ];
  },
};

function measure(watcher: Watcher, block: () => readonly UsageRecord[]): number {
  const usEach: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    let [cpuUs, judged] = [0, 0];
    while (judged < recordsPerRound) {
      const records = block();
      const cpu = process.cpuUsage();
      let arrivedAtMs = 0;
      for (const record of records) {
        arrivedAtMs = record.endUs / 1000;
        watcher.observe(record, arrivedAtMs);
      }
      watcher.tick(arrivedAtMs);
      const used = process.cpuUsage(cpu);
      cpuUs += used.user + used.system;
      judged += records.length;
    }
    // The first round warms up.
    if (round > 0) usEach.push(cpuUs / judged);
  }
  return median(usEach);
}

function recordOf(series: number, atMs: number, costShare: number, random: () => number): UsageRecord {
  const feature = Math.floor(series / modelsPerFeature);
  const input = Math.round(400 * Math.exp(random() + random()));
  const output = Math.round(150 * Math.exp(random() + random()));
  const values = {
    tenant: `tenant-${feature % tenants}`,
    feature: `feature-${Math.floor(feature / tenants)}`,
    model: `model-${series % modelsPerFeature}`,
    startUs: (atMs - 900) * 1000,
    endUs: atMs * 1000,
    usage: { input, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0, output, reasoning: 0 },
    costNanoUsd: Math.round((input * 2500 + output * 10_000) * costShare),
  };
  return usageRecord(values, Math.floor(random() * 2 ** 32));
}

/** What is in use, after a collection that takes everything. */
function memoryBytes(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
