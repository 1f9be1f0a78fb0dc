/** What the detectors of a cluster cost in their two stages, and how much less the second is given than the first. */

import { seededRandom, usageRecord } from "../../detectors/observation-samples.ts";
import { type Claimed, claimHere } from "../../src/detection/claim-judge.ts";
import type { Judge } from "../../src/detection/judge.ts";
import type { Stage } from "../../src/detection/stages.ts";
import { decodeUsageEntry, encodeUsageEntry } from "../../src/ingest/usage-codec.ts";
import type { UsageRecord } from "../../src/model/usage-record.ts";
import type { Bench, Cell } from "./bench.ts";

const startMs = Date.UTC(2026, 0, 5, 9);
const minutes = 20;
const entriesPerSecond = 4;
/** Of one partition. */
const recordsPerEntry = 500;
const partitions = 12;
const seriesMax = 100_000;

export const detectionStages: Bench = {
  name: "detection-stages",
  summary: "the detectors of a cluster: CPU of each stage, and sums per record",
  async run({ progress }) {
    const rows: Cell[][] = [];
    for (const features of [100, 10_000]) {
      progress(`${features} features`);
      const random = seededRandom(features);
      const [parts, wholes] = [judgeOf("parts"), judgeOf("wholes")];
      const used = { parts: 0, wholes: 0, records: 0, sums: 0, usageBytes: 0, deltaBytes: 0 };
      for (let entry = 0; entry < minutes * 60 * entriesPerSecond; entry++) {
        const arrivedAtMs = startMs + (entry * 1000) / entriesPerSecond;
        const records = Array.from({ length: recordsPerEntry }, () => recordOf(features, arrivedAtMs, random));
        const payload = encodeUsageEntry({ arrivedAtMs, records });
        const first = await timed(parts, payload);
        const deltas = first.told?.deltas ?? new Uint8Array();
        const second = await timed(wholes, deltas);
        // The first quarter fills and warms up.
        if (entry < (minutes * 60 * entriesPerSecond) / 4) continue;
        used.parts += first.cpuUs;
        used.wholes += second.cpuUs;
        used.records += recordsPerEntry;
        used.sums += decodeUsageEntry(deltas).records.length;
        used.usageBytes += payload.length;
        used.deltaBytes += deltas.length;
      }
      const per = (value: number) => value / used.records;
      rows.push([
        features,
        per(used.parts),
        per(used.wholes),
        used.wholes / used.sums,
        per(used.sums),
        used.deltaBytes / used.usageBytes,
      ]);
    }
    return [
      {
        title: "the detectors of a cluster",
        columns: [
          { title: "features of a partition", digits: 0 },
          { title: "first stage, CPU us/record", digits: 1 },
          { title: "second stage, CPU us/record", digits: 1 },
          { title: "us/sum", digits: 1 },
          { title: "sums per record", digits: 2 },
          { title: "bytes of sums per byte of usage", digits: 2 },
        ],
        rows,
        notes: [
          `Entries of ${recordsPerEntry} records, ${entriesPerSecond} a second of the log's time for ${minutes} minutes; decoding, summing and encoding included, Kafka not.`,
        ],
      },
    ];
  },
};

function judgeOf(stage: Stage): Judge<Claimed> {
  const codec = { decode: decodeUsageEntry, encode: encodeUsageEntry };
  return claimHere({ choices: {}, seriesMax, stage, partitions: stage === "parts" ? partitions : 1 }, codec)(undefined);
}

async function timed(judge: Judge<Claimed>, payload: Uint8Array) {
  const before = process.cpuUsage();
  const [[told] = []] = await judge.judge([{ offset: 1, payload }]);
  const { user, system } = process.cpuUsage(before);
  return { told, cpuUs: user + system };
}

/** Few features have most calls. */
function recordOf(features: number, atMs: number, random: () => number): UsageRecord {
  const feature = Math.floor(features ** random()) - 1;
  const input = Math.round(400 * Math.exp(random() + random()));
  const output = Math.round(150 * Math.exp(random() + random()));
  const values = {
    tenant: `tenant-${feature % 20}`,
    feature: `feature-${feature}`,
    startUs: (atMs - 900) * 1000,
    endUs: atMs * 1000,
    usage: { input, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0, output, reasoning: 0 },
    costNanoUsd: input * 2500 + output * 10_000,
  };
  return usageRecord(values, Math.floor(random() * 2 ** 32));
}
