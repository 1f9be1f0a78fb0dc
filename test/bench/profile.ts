/** Where the server's main thread spends its time under the load of `end-to-end`, function by function. */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bench, Cell, Table } from "./bench.ts";
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

/** The file that --cpu-prof writes; times in microseconds of the clock that processes share. */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly children?: readonly number[];
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly startTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

interface Window {
  readonly from: number;
  readonly to: number;
}

/** The main thread's: an engine may have others of its own. */
function readProfile(directory: string): CpuProfile {
  const profiles = readdirSync(directory)
    .filter((name) => name.endsWith(".cpuprofile"))
    .map((name) => JSON.parse(readFileSync(join(directory, name), "utf8")) as CpuProfile)
    .sort((a, b) => b.samples.length - a.samples.length);
  if (profiles[0] === undefined) throw new Error("the server wrote no profile");
  return profiles[0];
}

type CallFrame = CpuProfile["nodes"][number]["callFrame"];

/** Microseconds by function and by place, of the samples inside the window: the server's start is not part of the load. */
function selfTimes({ nodes, startTime, samples, timeDeltas }: CpuProfile, { from, to }: Window): SelfTimes {
  const frames = new Map(nodes.map((node) => [node.id, node.callFrame]));
  const callers = new Map(nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.callFrame])));
  const times: SelfTimes = { functions: new Map(), places: new Map() };
  let at = startTime;
  for (const [index, sample] of samples.entries()) {
    at += timeDeltas[index] ?? 0;
    const frame = frames.get(sample);
    if (at < from || at > to || frame === undefined || frame.functionName === "(idle)") continue;
    // A sample stands for the time until the next one.
    const us = timeDeltas[index + 1] ?? 0;
    add(times.functions, nameOf(frame, callers.get(sample)), us);
    add(times.places, placeOf(frame, callers.get(sample)), us);
  }
  return times;
}

interface SelfTimes {
  readonly functions: Map<string, number>;
  readonly places: Map<string, number>;
}

function add(times: Map<string, number>, name: string, us: number): void {
  times.set(name, (times.get(name) ?? 0) + us);
}

/** Generated and native code has no file: it is told by its caller. */
function nameOf({ functionName, url, lineNumber }: CallFrame, caller: CallFrame | undefined): string {
  const name = functionName === "" ? "(anonymous)" : functionName;
  if (url !== "") return `${name}  ${pathOf(url)}:${lineNumber + 1}`;
  return caller === undefined || caller.url === "" ? name : `${name}  of ${caller.functionName} ${pathOf(caller.url)}`;
}

/** A folder of ours, a package, or a part of Node. */
function placeOf({ functionName, url }: CallFrame, caller: CallFrame | undefined): string {
  const from = url === "" ? (caller?.url ?? "") : url;
  if (from === "") return functionName;
  if (from.startsWith("node:")) return "Node";
  const parts = pathOf(from).split("/");
  return parts.slice(0, parts[0] === "src" || parts[0]?.startsWith("@") === true ? 2 : 1).join("/");
}

function pathOf(url: string): string {
  return url.replace(/^.*\/node_modules\//, "").replace(/^file:\/\/.*?\/(src|detectors|instrumentation)\//, "$1/");
}

/** Microseconds of CPU per span under a name. */
type Cost = readonly [name: string, us: number];

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
      columns,
      rows: sharesOf(ofMain(functions), { wholeUs: mainUs, shown: functionsShown }),
      notes: [],
    },
    {
      title: `the main thread by folder and package, ${load}`,
      columns,
      rows: sharesOf(ofMain(places), { wholeUs: mainUs, shown: placesShown }),
      notes: [
        "us/span: the share of the main thread's CPU, since samples also count the time in which the thread waits for a core. The profiler itself costs some of it.",
        "(program) is native code outside of any function; (garbage collector) is collection on this thread.",
      ],
    },
    {
      title: `CPU by threads of the process, ${load}`,
      columns,
      rows: sharesOf(named, { wholeUs, shown: threadsShown }),
      notes: ["/proc/PID/task, from the first request to settled, on a warm server."],
    },
  ];
}

const columns = [{ title: "where" }, { title: "%", digits: 1 }, { title: "us/span", digits: 2 }];

/** The dearest rows, and one for all of them. */
function sharesOf(
  costs: readonly Cost[],
  { wholeUs, shown }: { readonly wholeUs: number; readonly shown: number },
): Cell[][] {
  const dearest = costs.toSorted(([, a], [, b]) => b - a).slice(0, shown);
  return [...dearest, ["all", wholeUs] as const].map(([name, us]) => [name, (100 * us) / wholeUs, us]);
}
