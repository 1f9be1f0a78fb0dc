/** The cluster's part of the chaos command, and its tables. */

import { renderTable, tableOptions } from "../../src/console/table.ts";
import { kafkaMissing } from "../support/kafka-broker.ts";
import { type ClusterRow, clusterPlaces, runClusterChaos } from "./cluster.ts";
import type { ClusterMutation } from "./cluster-part.ts";

export interface ClusterRun {
  readonly seed: number;
  readonly kills: number;
  /** Of the places, those that begin so. */
  readonly only: string;
  readonly mutate: boolean;
  readonly brokers: number;
  /** How long ClickHouse stands still where it is stopped. */
  readonly stoppedSeconds: number;
  readonly progress: (text: string) => void;
}

const measures = ["lost", "doubled", "wrong", "rollups"] as const;

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

async function campaign({ seed, kills, only, brokers, stoppedSeconds, progress }: ClusterRun): Promise<boolean> {
  const startedAt = performance.now();
  const places = clusterPlaces.filter(
    ({ name, fault }) => name.startsWith(only) && (fault?.brokersMin ?? 1) <= brokers,
  );
  const killsEach = Math.max(1, Math.round(kills / places.length));
  const stoppedMs = stoppedSeconds * 1000;
  const run = { seed, places, killsEach, brokers, stoppedMs, progress };
  const { rows, acked, requests, repeats, faults } = await runClusterChaos(run);
  const total = (of: keyof Omit<ClusterRow, "place">) => rows.reduce((sum, row) => sum + row[of], 0);
  const cells = [
    ...rows.map(({ place, kills: died, ...row }) => [place, String(died), ...measures.map((of) => String(row[of]))]),
    ["all", String(total("kills")), ...measures.map((of) => String(total(of)))],
  ];
  const titles = ["times", "lost", "doubled", "wrong", "rollup differences"];
  const columns = [{ title: "place" }, ...titles.map((title) => ({ title, align: "right" as const }))];
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  process.stdout.write(renderTable(columns, cells, tableOptions(process.stdout, process.env)));
  process.stdout.write(
    `seed ${seed}: ${total("kills")} kills and faults in ${seconds} s, ${total("missed")} of them elsewhere as their place was not reached in time; ClickHouse stopped for ${stoppedSeconds} s; ${acked} spans acknowledged in ${requests} requests, ${repeats} sent again later; two processes of each role, 4 partitions, brokers: ${brokers}\n${faults.map((fault) => `fault: ${fault}\n`).join("")}`,
  );
  return faults.length === 0;
}

async function mutations({ seed, only, brokers, progress }: ClusterRun): Promise<boolean> {
  const rows: string[][] = [];
  for (const [mutation, place] of aims.filter(([name]) => name.startsWith(only))) {
    const places = clusterPlaces.filter(({ name }) => name === place);
    const tell = (text: string) => progress(`${mutation}: ${text}`);
    const result = await runClusterChaos({
      seed,
      places,
      killsEach: 2,
      mutation,
      brokers,
      stoppedMs: 0,
      progress: tell,
    });
    const sums = measures.map((of) => result.rows.reduce((sum, row) => sum + row[of], 0));
    const red = sums.some((sum) => sum > 0);
    rows.push([mutation, place, ...sums.map(String), red ? "red" : "GREEN: NOT FOUND"]);
  }
  const titles = ["lost", "doubled", "wrong", "rollup differences"];
  const numbers = titles.map((title) => ({ title, align: "right" as const }));
  const columns = [{ title: "mutation" }, { title: "killed at" }, ...numbers, { title: "found" }];
  process.stdout.write(renderTable(columns, rows, tableOptions(process.stdout, process.env)));
  return rows.every((row) => row.at(-1) === "red");
}
