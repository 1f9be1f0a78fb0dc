/** Shifts of one stream: delay and recall of every method at the same run length, and false alarms in real order. */

import type { Cell, Table } from "../bench/bench.ts";
import { median } from "../bench/statistics.ts";
import type { Baseline } from "./baselines/baseline.ts";
import { baselines } from "./baselines/baselines.ts";
import { delayPlot } from "./delay-plot.ts";
import type { Evaluation } from "./eval.ts";
import { plainPortfolio, shippedPortfolio } from "./ours.ts";
import {
  afterRecords,
  alarmLevels,
  matchedRunLength,
  recallWithin,
  type StreamName,
  shifts as scenarios,
  sizes,
  streamNames,
  warmUpRecords,
} from "./protocol.ts";
import { realOrderAlarms, tunedThreshold } from "./run-length.ts";
import { randomOf, readStreams, type Sample } from "./samples.ts";

interface Contender {
  readonly label: string;
  readonly method: Baseline;
  /** Fixed beforehand; null is tuned on `dev`. */
  readonly threshold: number | null;
}

interface Measured {
  readonly label: string;
  readonly stream: StreamName;
  /** Median delay by scenario, null when more than half were missed; and the share found in time. */
  readonly delays: readonly (number | null)[];
  readonly recalls: readonly number[];
  readonly early: number;
  readonly realOrder: number;
}

const contenders: readonly Contender[] = [
  { label: "portfolio, no margin, A=1e5", method: plainPortfolio, threshold: alarmLevels.matched },
  { label: "portfolio, no margin, tuned", method: plainPortfolio, threshold: null },
  { label: "portfolio, shipped, A=1e7", method: shippedPortfolio, threshold: alarmLevels.page },
  ...baselines.map((method) => ({ label: `${method.name}, tuned`, method, threshold: null })),
];

export const shifts: Evaluation = {
  name: "shifts",
  summary: "delay of each method on shifted real streams, all tuned to one false alarm in 100,000 records",
  async run({ size, progress }) {
    const { nullRecords, shiftRuns } = sizes[size];
    const streams = await readStreams();
    const measured: Measured[] = [];
    for (const [index, stream] of streamNames.entries()) {
      const samples = streams.get(stream);
      if (samples === undefined) continue;
      for (const [at, contender] of contenders.entries()) {
        progress((index + at / contenders.length) / streamNames.length, `${stream}, ${contender.label}`);
        await new Promise((resolve) => setImmediate(resolve));
        const threshold =
          contender.threshold ?? tunedThreshold(contender.method, samples.dev, nullRecords, `${stream} tuning`);
        measured.push(measure(contender, threshold, stream, samples.holdout, shiftRuns));
      }
    }
    return {
      tables: [...streamNames.map((stream) => delayTable(stream, measured)), adwinTable(measured), lostTable(measured)],
      plots: [
        {
          name: "delays",
          svg: delayPlot(
            measured,
            scenarios.map(({ name }) => name),
          ),
        },
      ],
    };
  },
};

function measure(
  { label, method }: Contender,
  threshold: number,
  stream: StreamName,
  samples: readonly Sample[],
  runs: number,
): Measured {
  let early = 0;
  const results = scenarios.map((scenario) => {
    const delays: number[] = [];
    let begun = 0;
    for (let run = 0; run < runs; run++) {
      const delay = shiftDelay(method, threshold, samples, scenario, `${stream} ${scenario.name} run ${run}`);
      if (delay === "early") early++;
      else {
        begun++;
        delays.push(delay ?? Number.POSITIVE_INFINITY);
      }
    }
    const middle = delays.length === 0 ? Number.POSITIVE_INFINITY : median(delays);
    const inTime = delays.filter((delay) => delay <= recallWithin).length;
    return { delay: Number.isFinite(middle) ? middle : null, recall: begun === 0 ? 0 : inTime / begun };
  });
  return {
    label,
    stream,
    delays: results.map(({ delay }) => delay),
    recalls: results.map(({ recall }) => recall),
    early: early / (runs * scenarios.length),
    realOrder: realOrderAlarms(method, threshold, samples, stream),
  };
}

/** The same values for every method: the run's name decides them, the method's own randomness comes from elsewhere. */
function shiftDelay(
  method: Baseline,
  threshold: number,
  samples: readonly Sample[],
  { share, factor }: (typeof scenarios)[number],
  name: string,
): number | "early" | null {
  const random = randomOf(name);
  const score = method.start(randomOf(`${name} ${method.name}`));
  for (let i = 0; i < warmUpRecords + afterRecords; i++) {
    const value = samples[Math.floor(random() * samples.length)]?.value ?? 0;
    const shifted = random() < share && i >= warmUpRecords;
    const scored = score(shifted ? Math.round(value * factor) : value);
    if (scored < threshold || i < recallWithin) continue;
    return i < warmUpRecords ? "early" : i - warmUpRecords + 1;
  }
  return null;
}

function delayTable(stream: StreamName, measured: readonly Measured[]): Table {
  const rows = measured
    .filter((each) => each.stream === stream)
    .map(({ label, delays, recalls, early, realOrder }): Cell[] => [
      label,
      ...delays.map((delay, index) => {
        const recall = recalls[index] ?? 0;
        return delay === null ? `- (${percent(recall)})` : recall < 1 ? `${delay} (${percent(recall)})` : String(delay);
      }),
      percent(early),
      realOrder,
    ]);
  return {
    title: `${stream}: median delay in records, and the share found within ${recallWithin} where not all`,
    columns: [
      { title: "method" },
      ...scenarios.map(({ name }) => ({ title: name })),
      { title: "early" },
      { title: "real order", digits: 0 },
    ],
    rows,
    notes: [
      `Thresholds tuned on the first half to one false alarm in ${matchedRunLength} exchangeable records, measured on the second.`,
      "early: share of runs that alarmed before the onset. real order: alarms over the second half as it was recorded.",
    ],
  };
}

/** How many times as fast as the strongest incumbent, tuned with hindsight, the portfolio is at its guaranteed level. */
function adwinTable(measured: readonly Measured[]): Table {
  const rows = streamNames.map((stream): Cell[] => {
    const of = (label: string) => measured.find((each) => each.stream === stream && each.label === label);
    const [own, peer] = [of("portfolio, no margin, A=1e5"), of("ADWIN log, tuned")];
    const ratios = scenarios.map((_, index) => {
      const [ours, theirs] = [own?.delays[index] ?? null, peer?.delays[index] ?? null];
      return ours === null || theirs === null ? null : theirs / ours;
    });
    return [stream, ...ratios];
  });
  return {
    title: "times as fast as tuned ADWIN",
    columns: [{ title: "stream" }, ...scenarios.map(({ name }) => ({ title: name, digits: 1 }))],
    rows,
    notes: ["Median delay of ADWIN over that of the portfolio without margin at A=1e5; ADWIN looks every 32 records."],
  };
}

/** Where a tuned baseline is faster than the untuned portfolio at its guaranteed level. */
function lostTable(measured: readonly Measured[]): Table {
  const own = "portfolio, no margin, A=1e5";
  const rows: Cell[][] = [];
  for (const stream of streamNames) {
    const mine = measured.find((each) => each.stream === stream && each.label === own);
    for (const [index, { name }] of scenarios.entries()) {
      const ours = mine?.delays[index] ?? null;
      const peers = measured.filter((each) => each.stream === stream && !each.label.startsWith("portfolio"));
      const known = peers.flatMap((peer) => {
        const delay = peer.delays[index];
        return delay === null || delay === undefined ? [] : [{ label: peer.label, delay, early: peer.early }];
      });
      const best = known.sort((a, b) => a.delay - b.delay)[0];
      if (best === undefined || (ours !== null && ours <= best.delay)) continue;
      rows.push([stream, name, ours, best.label, best.delay, percent(best.early)]);
    }
  }
  return {
    title: "cells lost: a tuned baseline was faster than the portfolio at its guaranteed level",
    columns: [
      { title: "stream" },
      { title: "shift" },
      { title: "portfolio", digits: 0 },
      { title: "faster" },
      { title: "delay", digits: 0 },
      { title: "its early alarms" },
    ],
    rows,
    notes: [
      `${rows.length} of ${streamNames.length * scenarios.length} cells, each against the best of ${baselines.length} tuned baselines. Where that one alarmed early, its threshold from the first half did not hold on the second.`,
    ],
  };
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
