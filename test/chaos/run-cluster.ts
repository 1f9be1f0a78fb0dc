/** The cluster's part of the chaos command, and its tables. */

import { renderTable, tableOptions } from "../../src/console/table.ts";
import { kafkaMissing } from "../support/kafka-broker.ts";
import { type ClusterChaosOptions, type ClusterResult, type ClusterRow, runStretch } from "./cluster.ts";
import type { ClusterMutation } from "./cluster-part.ts";
import { type ClusterPlace, clusterPlaces } from "./cluster-places.ts";
import { traceCalls } from "./trace-calls.ts";

export interface ClusterRun {
  readonly seed: number;
  readonly kills: number;
  /** Of the places, those that begin so. */
  readonly only: string;
  readonly mutate: boolean;
  readonly brokers: number;
  /** How long ClickHouse stands still where it is stopped. */
  readonly stoppedSeconds: number;
  /** Calls that are acknowledged at least. */
  readonly calls: number;
  readonly progress: (text: string) => void;
}

const measures = ["lost", "doubled", "wrong", "rollups", "incidents"] as const;
/** More than so many failed places are worth nothing more. */
const startsMax = 4;

/** Where each mistake shows. */
const aims: readonly (readonly [ClusterMutation, string])[] = [
  ["no-token", "writer: store.insert after"],
  ["no-plan", "writer: offset.save before"],
  ["offset-before-insert", "writer: store.insert before"],
  ["ack-before-send", "collector: random"],
  ["memory-dropped", "resolver: random"],
];

/** True when nothing is wrong; with `mutate`, when every mistake is found. */
export async function runCluster(options: ClusterRun): Promise<boolean> {
  const missing = await kafkaMissing();
  if (missing !== undefined) return true;
  return options.mutate ? mutations(options) : campaign(options);
}

async function campaign({ seed, kills, only, brokers, stoppedSeconds, calls, progress }: ClusterRun): Promise<boolean> {
  const startedAt = performance.now();
  const places = clusterPlaces.filter(
    ({ name, fault }) => name.startsWith(only) && (fault?.brokersMin ?? 1) <= brokers,
  );
  const killsEach = Math.max(1, Math.round(kills / places.length));
  const run = { seed, killsEach, brokers, stoppedMs: stoppedSeconds * 1000, nextCall: traceCalls(), progress };
  const { rows, acked, requests, repeats, incidents, faults } = await runPlaces(run, places, calls);
  const total = (of: keyof Omit<ClusterRow, "place" | "failed">) => rows.reduce((sum, row) => sum + row[of], 0);
  const cells = [
    ...rows.map((row) => [
      row.place,
      String(row.kills),
      ...measures.map((of) => (row.failed ? "-" : String(row[of]))),
      row.failed ? "FAILED" : "",
    ]),
    ["all", String(total("kills")), ...measures.map((of) => String(total(of))), ""],
  ];
  const titles = ["times", "lost", "doubled", "wrong", "rollup differences", "incidents"];
  const columns = [{ title: "place" }, ...titles.map((title) => ({ title, align: "right" as const })), { title: "" }];
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  process.stdout.write(renderTable(columns, cells, tableOptions(process.stdout, process.env)));
  process.stdout.write(
    `seed ${seed}: ${total("kills")} kills and faults in ${seconds} s, ${total("missed")} of them elsewhere as their place was not reached in time; ClickHouse stopped for ${stoppedSeconds} s; ${acked} calls acknowledged in ${requests} requests, ${repeats} sent again later; ${incidents} incidents; two processes of each role, 4 partitions, brokers: ${brokers}\n${faults.map((fault) => `fault: ${fault}\n`).join("")}`,
  );
  return faults.length === 0;
}

/** All places in order; where one fails, those behind it on a new cluster. */
async function runPlaces(
  options: ClusterChaosOptions,
  places: readonly ClusterPlace[],
  calls: number,
): Promise<ClusterResult> {
  let all: ClusterResult = { rows: [], acked: 0, requests: 0, repeats: 0, incidents: 0, faults: [] };
  let left = places;
  for (let start = 1; left.length > 0; start++) {
    const callsMin = Math.max(0, calls - all.acked);
    const found = await runStretch({ ...options, places: left, callsMin }).catch((error: Error) =>
      failedStart(left[0]?.name ?? "", error),
    );
    all = {
      rows: [...all.rows, ...found.rows],
      acked: all.acked + found.acked,
      requests: all.requests + found.requests,
      repeats: all.repeats + found.repeats,
      incidents: all.incidents + found.incidents,
      faults: [...all.faults, ...found.faults],
    };
    left = left.slice(found.rows.length);
    if (start < startsMax || left.length === 0) continue;
    return { ...all, faults: [...all.faults, `${left.length} places were not played after ${startsMax} failed`] };
  }
  return all;
}

function failedStart(place: string, error: Error): ClusterResult {
  const nothing = { lost: 0, doubled: 0, wrong: 0, rollups: 0, incidents: 0, missed: 0 };
  const row = { place, kills: 0, ...nothing, failed: true };
  return {
    rows: [row],
    acked: 0,
    requests: 0,
    repeats: 0,
    incidents: 0,
    faults: [`${place}: ${error.stack ?? error.message}`],
  };
}

async function mutations({ seed, only, brokers, progress }: ClusterRun): Promise<boolean> {
  const rows: string[][] = [];
  for (const [mutation, place] of aims.filter(([name]) => name.startsWith(only))) {
    const places = clusterPlaces.filter(({ name }) => name === place);
    const tell = (text: string) => progress(`${mutation}: ${text}`);
    const run = { seed, killsEach: 2, mutation, brokers, stoppedMs: 0, nextCall: traceCalls(), progress: tell };
    const result = await runPlaces(run, places, 0);
    const stored = measures.filter((of) => of !== "incidents");
    const sums = stored.map((of) => result.rows.reduce((sum, row) => sum + row[of], 0));
    // Found by what is in the store, not by a place that failed.
    const red = sums.some((sum) => sum > 0);
    rows.push([mutation, place, ...sums.map(String), red ? "red" : "GREEN: NOT FOUND"]);
    tell(red ? "red" : `not found; faults: ${result.faults.join("; ")}`);
  }
  const titles = ["lost", "doubled", "wrong", "rollup differences"];
  const numbers = titles.map((title) => ({ title, align: "right" as const }));
  const columns = [{ title: "mutation" }, { title: "killed at" }, ...numbers, { title: "found" }];
  process.stdout.write(renderTable(columns, rows, tableOptions(process.stdout, process.env)));
  return rows.every((row) => row.at(-1) === "red");
}
