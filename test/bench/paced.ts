/** How long an acknowledgement takes at a rate that the server keeps up with: what an exporter waits for on a normal day. */

import type { BenchOptions, Cell, Table } from "./bench.ts";
import { type Exporters, startExporters } from "./load.ts";
import { longestDelaysMs, type ServerProcess, startServerProcess } from "./server-process.ts";
import { mediansOf, percentile } from "./statistics.ts";
import { assertStored } from "./throughput.ts";

const spansPerBody = 100;
const loads = [5000, 10_000, 20_000].flatMap((spansPerSecond) =>
  [1, 10, 50].map((exporters) => ({ spansPerSecond, exporters })),
);
type Load = (typeof loads)[number];
const secondsPerLoad = 4;
const warmUpBodies = 400;

const measures = [
  "takenPerSecond",
  "ackMsP50",
  "ackMsP95",
  "ackMsP99",
  "ackMsMax",
  "repeats",
  "lagMsMax",
  "turnMsMax",
] as const;
type Measured = Readonly<Record<(typeof measures)[number], number | null>>;

/** One server after another, each asked at every rate. */
export async function measurePaced(options: BenchOptions): Promise<Table> {
  const exporters = startExporters();
  const runs = new Map<Load, Measured[]>(loads.map((load) => [load, []]));
  try {
    const bodies = warmUpBodies + loads.reduce((sum, load) => sum + bodiesOf(load), 0);
    await exporters.prepare({ format: "protobuf", bodies, spansPerBody });
    for (let run = 1; run <= options.runs; run++) await measureRun(exporters, runs, { ...options, run });
  } finally {
    exporters.stop();
  }
  return {
    title: `acknowledgement at a given rate, gzip protobuf, ${spansPerBody} spans a body; medians of ${options.runs}`,
    columns: [
      { title: "spans/s" },
      { title: "exp." },
      { title: "taken/s", digits: 0 },
      { title: "ack p50 ms", digits: 1 },
      { title: "p95 ms", digits: 1 },
      { title: "p99 ms", digits: 1 },
      { title: "longest", digits: 0 },
      { title: "resent", digits: 0 },
      { title: "lag ms", digits: 0 },
      { title: "turn ms", digits: 0 },
    ],
    rows: loads.map((load): Cell[] => {
      const medians = mediansOf(runs.get(load) ?? [], measures);
      return [String(load.spansPerSecond), String(load.exporters), ...measures.map((name) => medians[name])];
    }),
    notes: [
      `Each for ${secondsPerLoad} s, on one warm server that stores and judges what it takes. Durable: fsync on. exp.: connections, each with one request at a time.`,
    ],
  };
}

function bodiesOf({ spansPerSecond }: Load): number {
  return Math.ceil((spansPerSecond * secondsPerLoad) / spansPerBody);
}

async function measureRun(
  exporters: Exporters,
  runs: ReadonlyMap<Load, Measured[]>,
  { progress, run, runs: all }: BenchOptions & { readonly run: number },
): Promise<void> {
  const server = await startServerProcess();
  try {
    await exporters.send({ url: server.tracesUrl, exporters: 10, from: 0, to: warmUpBodies });
    let from = warmUpBodies;
    for (const load of loads) {
      progress(`${load.spansPerSecond} spans/s from ${load.exporters} exporters, run ${run} of ${all}`);
      await server.settle();
      const to = from + bodiesOf(load);
      runs.get(load)?.push(await measureLoad(exporters, server, { ...load, from, to }));
      from = to;
    }
    await server.settle();
    await assertStored(server.apiUrl, from * spansPerBody);
  } finally {
    await server.stop();
  }
}

async function measureLoad(
  exporters: Exporters,
  { tracesUrl, apiUrl }: ServerProcess,
  load: Load & { readonly from: number; readonly to: number },
): Promise<Measured> {
  // Reading them begins their measurement anew.
  await longestDelaysMs(apiUrl);
  const sent = await exporters.send({ url: tracesUrl, ...load });
  const delays = await longestDelaysMs(apiUrl);
  return {
    takenPerSecond: sent.spans / ((sent.lastAckedUs - sent.firstSentUs) / 1e6),
    ackMsP50: percentile(sent.latenciesMs, 0.5),
    ackMsP95: percentile(sent.latenciesMs, 0.95),
    ackMsP99: percentile(sent.latenciesMs, 0.99),
    ackMsMax: percentile(sent.latenciesMs, 1),
    repeats: sent.repeats,
    lagMsMax: delays.lag,
    turnMsMax: delays.turn,
  };
}
