/** Reading the CPU profiles of Node: self time by function and by place. */

import type { Cell, Column } from "./bench.ts";

/** The file that --cpu-prof writes; times in microseconds of the clock that processes share. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  readonly startTime: number;
  readonly samples?: readonly number[] | undefined;
  readonly timeDeltas?: readonly number[] | undefined;
}

export interface ProfileNode {
  readonly id: number;
  readonly children?: readonly number[] | undefined;
  readonly callFrame: CallFrame;
}

export interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}

/** Of the clock of the profile, in microseconds. */
export interface Window {
  readonly from: number;
  readonly to: number;
}

export interface SelfTimes {
  readonly functions: Map<string, number>;
  readonly places: Map<string, number>;
}

/** Microseconds of each node itself, of the samples inside the window. Waiting for work is left out. */
export function selfTimeOfNodes(profile: CpuProfile, window?: Window): ReadonlyMap<ProfileNode, number> {
  const { startTime, samples = [], timeDeltas = [] } = profile;
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const times = new Map<ProfileNode, number>();
  let at = startTime;
  for (const [index, sample] of samples.entries()) {
    at += timeDeltas[index] ?? 0;
    const node = nodes.get(sample);
    const outside = window !== undefined && (at < window.from || at > window.to);
    if (outside || node === undefined || node.callFrame.functionName === "(idle)") continue;
    // A sample stands for the time until the next one.
    times.set(node, (times.get(node) ?? 0) + (timeDeltas[index + 1] ?? 0));
  }
  return times;
}

/** Microseconds by function and by place, of the samples inside the window. */
export function selfTimes(profile: CpuProfile, window?: Window): SelfTimes {
  const callers = new Map(
    profile.nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.callFrame])),
  );
  const times: SelfTimes = { functions: new Map(), places: new Map() };
  for (const [{ id, callFrame }, us] of selfTimeOfNodes(profile, window)) {
    add(times.functions, nameOf(callFrame, callers.get(id)), us);
    add(times.places, placeOf(callFrame, callers.get(id)), us);
  }
  return times;
}

function add(times: Map<string, number>, name: string, us: number): void {
  times.set(name, (times.get(name) ?? 0) + us);
}

/** A function with its file. Generated and native code has no file: it is told by its caller. */
export function nameOf({ functionName, url, lineNumber }: CallFrame, caller: CallFrame | undefined): string {
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
  return url.replace(/^.*\/node_modules\//, "").replace(/^file:\/\/.*?\/(src|detectors|instrumentation|test)\//, "$1/");
}

/** Microseconds of CPU per span under a name. */
export type Cost = readonly [name: string, us: number];

export const costColumns: readonly Column[] = [
  { title: "where" },
  { title: "%", digits: 1 },
  { title: "us/span", digits: 2 },
];

/** The dearest rows, and one for all of them. */
export function sharesOf(
  costs: readonly Cost[],
  { wholeUs, shown }: { readonly wholeUs: number; readonly shown: number },
): Cell[][] {
  const dearest = costs.toSorted(([, a], [, b]) => b - a).slice(0, shown);
  return [...dearest, ["all", wholeUs] as const].map(([name, us]) => [name, (100 * us) / wholeUs, us]);
}
