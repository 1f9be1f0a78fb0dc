/** Exporters at full speed against a fresh server: what is acknowledged, what can be queried, and what it costs. */

import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { sql } from "../support/burnwatch.ts";
import type { BenchOptions, Cell, Table } from "./bench.ts";
import { type Exporters, startExporters } from "./load.ts";
import type { PayloadFormat } from "./payload.ts";
import { clockUs, cpuUs, peakRssMb } from "./process-stats.ts";
import { longestDelaysMs, startServerProcess } from "./server-process.ts";
import { mediansOf, percentile } from "./statistics.ts";

export const spansPerBody = 500;

interface Load {
  readonly format: PayloadFormat;
  /** HTTP where absent. */
  readonly protocol?: "http" | "grpc";
  readonly exporters: number;
  /** The server on one core, the exporters where they please; on all cores where absent. */
  readonly oneCore?: boolean;
}

/** Without `taskset` a server cannot be held on one core, and that row is left out. */
const canPin = spawnSync("taskset", ["--version"]).status === 0;

const loads: readonly Load[] = [
  ...(canPin ? [{ format: "protobuf", exporters: 10, oneCore: true } as const] : []),
  { format: "protobuf", exporters: 1 },
  { format: "protobuf", exporters: 10 },
  { format: "protobuf", exporters: 50 },
  { format: "protobuf", protocol: "grpc", exporters: 10 },
  { format: "protobuf", protocol: "grpc", exporters: 50 },
  { format: "json", exporters: 10 },
  { format: "json", exporters: 50 },
];

/** Spans sent before the measurement, as a share: a server runs for weeks, its first seconds are another bench's. */
const warmUpShare = 0.25;

/** Plain JSON is fourteen times as long on the wire: fewer spans keep the exporters' memory in bounds. */
const jsonShare = 0.5;

const measures = [
  "ackedPerSecond",
  "queryablePerSecond",
  "serverCpuUs",
  "exporterCpuUs",
  "ackMsP50",
  "ackMsP99",
  "lagMsMax",
  "turnMsMax",
  "peakRssMb",
] as const;
type Measured = Readonly<Record<(typeof measures)[number], number | null>>;

const columns = [
  { title: "format" },
  { title: "exp." },
  { title: "cores" },
  { title: "acked/s", digits: 0 },
  { title: "queryable/s", digits: 0 },
  { title: "us/span", digits: 1 },
  { title: "exp. us", digits: 1 },
  { title: "p50 ms", digits: 1 },
  { title: "p99 ms", digits: 1 },
  { title: "lag ms", digits: 0 },
  { title: "turn ms", digits: 0 },
  { title: "RSS MB", digits: 0 },
];

/** The table, and the server's CPU per span at ten exporters of protobuf, which the stages are held against. */
export async function measureThroughput(options: BenchOptions): Promise<{ table: Table; serverCpuUs: number | null }> {
  const exporters = startExporters();
  const runs = new Map<string, Measured[]>(loads.map((load) => [keyOf(load), []]));
  try {
    for (let run = 1; run <= options.runs; run++) await measureRun({ run, exporters, options, runs });
  } finally {
    exporters.stop();
  }
  const medians = loads.map((load) => ({ ...load, ...mediansOf(runs.get(keyOf(load)) ?? [], measures) }));
  const table: Table = {
    title: `${options.spans} spans in bodies of ${spansPerBody} to a warm server, detection on; medians of ${options.runs}`,
    columns,
    rows: medians.map((row): Cell[] => [
      row.protocol ?? row.format,
      String(row.exporters),
      row.oneCore === true ? "1" : String(availableParallelism()),
      ...measures.map((name) => row[name]),
    ]),
    notes: [
      "Each load has a server and data of its own, warmed up with a quarter as many spans. protobuf: gzip over HTTP; grpc: the same bodies over gRPC; json: plain, as OpenTelemetry's JavaScript exporter sends it, half as many spans.",
      "cores: where the server may run; the exporters take what is left of the machine's.",
      "acked: on disk, fsync on (lmdb group commit). queryable: until everything acked is stored, fsync on, and judged (POST /api/v1/settle).",
      "us/span: CPU of the server from the first request to settled, all threads (/proc/PID/stat). exp. us: of the exporters, whose process shares the cores. Both run on this one machine.",
      "p50, p99: of acknowledgements, from the first try to the 200, tries refused with 429 and sent again after Retry-After included. lag: longest event-loop delay (its sampling step of 10 ms included); turn: CPU of the main thread's longest turn, which the delay is where a core is free. RSS: peak.",
      "Bodies were made beforehand; synthetic text compresses well (about 140 bytes a span on the wire).",
    ],
  };
  const reference = medians.find((load) => keyOf(load) === keyOf({ format: "protobuf", exporters: 10 }));
  return { table, serverCpuUs: reference?.serverCpuUs ?? null };
}

interface Run {
  readonly run: number;
  readonly exporters: Exporters;
  readonly options: BenchOptions;
  readonly runs: ReadonlyMap<string, Measured[]>;
}

async function measureRun({ run, exporters, options, runs }: Run): Promise<void> {
  let prepared: PayloadFormat | undefined;
  for (const load of loads) {
    options.progress(`${load.format}, ${load.exporters} exporters, run ${run} of ${options.runs}`);
    const spans = load.format === "json" ? options.spans * jsonShare : options.spans;
    if (prepared !== load.format) {
      prepared = load.format;
      const bodies = Math.ceil((spans * (1 + warmUpShare)) / spansPerBody);
      await exporters.prepare({ format: load.format, bodies, spansPerBody });
    }
    runs.get(keyOf(load))?.push(await measureLoad(exporters, load, Math.ceil(spans / spansPerBody)));
  }
}

async function measureLoad(
  exporters: Exporters,
  { protocol = "http", exporters: concurrency, oneCore = false }: Load,
  bodies: number,
): Promise<Measured> {
  const server = await startServerProcess({ oneCore });
  const warmUp = Math.floor(bodies * warmUpShare);
  try {
    const url = protocol === "grpc" ? server.grpcUrl : server.tracesUrl;
    const load = { url, protocol, exporters: concurrency };
    await exporters.send({ ...load, from: 0, to: warmUp });
    await server.settle();
    // Reading them begins their measurement anew.
    await longestDelaysMs(server.apiUrl);
    const cpuBefore = cpuUs(server.pid);
    const sent = await exporters.send({ ...load, from: warmUp, to: warmUp + bodies });
    await server.settle();
    const settledUs = clockUs();
    const cpuAfter = cpuUs(server.pid);
    const delays = await longestDelaysMs(server.apiUrl);
    await assertStored(server.apiUrl, sent.spans + warmUp * spansPerBody);
    return {
      ackedPerSecond: sent.spans / ((sent.lastAckedUs - sent.firstSentUs) / 1e6),
      queryablePerSecond: sent.spans / ((settledUs - sent.firstSentUs) / 1e6),
      serverCpuUs: cpuBefore === null || cpuAfter === null ? null : (cpuAfter - cpuBefore) / sent.spans,
      exporterCpuUs: sent.cpuUs / sent.spans,
      ackMsP50: percentile(sent.latenciesMs, 0.5),
      ackMsP99: percentile(sent.latenciesMs, 0.99),
      lagMsMax: delays.lag,
      turnMsMax: delays.turn,
      peakRssMb: peakRssMb(server.pid),
    };
  } finally {
    await server.stop();
  }
}

/** A fast server that loses spans is no result. */
export async function assertStored(apiUrl: string, spans: number): Promise<void> {
  const [row] = await sql<{ stored: string }>(apiUrl, "SELECT count() AS stored FROM usage");
  if (Number(row?.stored) !== spans) throw new Error(`${row?.stored} records are stored of ${spans} acknowledged`);
}

function keyOf({ format, protocol, exporters, oneCore = false }: Load): string {
  return `${protocol ?? format} ${exporters} ${oneCore}`;
}
