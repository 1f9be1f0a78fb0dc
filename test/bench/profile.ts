/** Where the server's main thread spends its time under the load of `end-to-end`, function by function. */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bench, Table } from "./bench.ts";
import { type Cost, type CpuProfile, costColumns, type SelfTimes, selfTimes, sharesOf } from "./cpu-profile.ts";
import { startExporters } from "./load.ts";
import { clockUs, cpuUsByThread } from "./process-stats.ts";
import { startServerProcess } from "./server-process.ts";
import { spansPerBody } from "./throughput.ts";

const exportersAtOnce = 10;
const functionsShown = 20;
const placesShown = 14;
const threadsShown = 8;

export const profile: Bench = {
  name: "profile",
  summary: "the server's main thread under load: self time by function",
  onRequest: true,
  async run({ spans, progress }) {
    const directory = mkdtempSync(join(tmpdir(), "burnwatch-profile-"));
    const exporters = startExporters();
    try {
      progress("making bodies");
      const bodies = Math.ceil(spans / spansPerBody);
      const warmUp = Math.floor(bodies / 4);
      await exporters.prepare({ format: "protobuf", bodies: warmUp + bodies, spansPerBody });
      progress(`profiling ${spans} spans from ${exportersAtOnce} exporters`);
      const server = await startServerProcess({ nodeFlags: ["--cpu-prof", `--cpu-prof-dir=${directory}`] });
      const send = (from: number, to: number) =>
        exporters.send({ url: server.tracesUrl, exporters: exportersAtOnce, from, to });
      await send(0, warmUp);
      await server.settle();
      const from = clockUs();
      const before = cpuUsByThread(server.pid);
      const sent = await send(warmUp, warmUp + bodies);
      await server.settle();
      const window = { from, to: clockUs() };
      const after = cpuUsByThread(server.pid);
      await server.stop();
      const threads = [...after].map(([name, us]): Cost => [name, (us - (before.get(name) ?? 0)) / sent.spans]);
      return tablesOf(selfTimes(readProfile(directory), window), { spans: sent.spans, threads });
    } finally {
      exporters.stop();
      rmSync(directory, { recursive: true, force: true });
    }
  },
};

/** The main thread's: an engine may have others of its own. */
function readProfile(directory: string): CpuProfile {
  const profiles = readdirSync(directory)
    .filter((name) => name.endsWith(".cpuprofile"))
    .map((name) => JSON.parse(readFileSync(join(directory, name), "utf8")) as CpuProfile)
    .sort((a, b) => (b.samples?.length ?? 0) - (a.samples?.length ?? 0));
  if (profiles[0] === undefined) throw new Error("the server wrote no profile");
  return profiles[0];
}

const threadMeanings: Readonly<Record<string, string>> = {
  main: "main thread",
  V8Worker: "V8's: garbage collection, compilation",
  "libuv-worker": "libuv's: lmdb's commits, files, inserts",
  detectors: "thread of the detectors",
  WorkerThread: "threads that prepare exports",
};

interface Load {
  readonly spans: number;
  readonly threads: readonly Cost[];
}

function tablesOf({ functions, places }: SelfTimes, { spans, threads }: Load): Table[] {
  const load = `${spans} spans, ${exportersAtOnce} exporters, gzip protobuf`;
  const mainUs = threads.find(([name]) => name === "main")?.[1] ?? Number.NaN;
  const busyUs = [...functions.values()].reduce((sum, us) => sum + us, 0);
  const ofMain = (times: ReadonlyMap<string, number>) =>
    [...times].map(([name, us]): Cost => [name, (mainUs * us) / busyUs]);
  const named = threads.map(([name, us]): Cost => [threadMeanings[name] ?? `the engine's: ${name}`, us]);
  const wholeUs = threads.reduce((sum, [, us]) => sum + us, 0);
  return [
    {
      title: `self time on the main thread by function, ${load}`,
      columns: costColumns,
      rows: sharesOf(ofMain(functions), { wholeUs: mainUs, shown: functionsShown }),
      notes: [],
    },
    {
      title: `the main thread by folder and package, ${load}`,
      columns: costColumns,
      rows: sharesOf(ofMain(places), { wholeUs: mainUs, shown: placesShown }),
      notes: [
        "us/span: the share of the main thread's CPU, since samples also count the time in which the thread waits for a core. The profiler itself costs some of it.",
        "(program) is native code outside of any function; (garbage collector) is collection on this thread.",
      ],
    },
    {
      title: `CPU by threads of the process, ${load}`,
      columns: costColumns,
      rows: sharesOf(named, { wholeUs, shown: threadsShown }),
      notes: ["/proc/PID/task, from the first request to settled, on a warm server."],
    },
  ];
}
