/** The results as text. */

import { renderTable, tableOptions } from "../../src/console/table.ts";
import type { CampaignResult } from "./campaign.ts";
import type { MutationResult } from "./mutate.ts";
import type { ScenarioResult } from "./scenarios/scenario.ts";

const measures = ["kills", "lost", "doubled", "wrong", "rollups", "detection"] as const;

/** True when nothing at all is wrong. */
export function campaignClean(result: CampaignResult): boolean {
  return result.faults.length === 0;
}

/** The chaos table, with what was wrong below it. */
export function printCampaign(result: CampaignResult & { readonly seed: number; readonly seconds: number }): string {
  const { places, kills, acked, requests, repeats, incidents, toldTwice, lmdbEnds, faults, seed, seconds } = result;
  const sorted = [...places].sort((a, b) => a.place.localeCompare(b.place));
  const total = measures.map((measure) => places.reduce((sum, place) => sum + place[measure], 0));
  const rows = [
    ...sorted.map((place) => [place.place, ...measures.map((measure) => String(place[measure]))]),
    ["all", ...total.map(String)],
  ];
  const columns = [
    { title: "killed at" },
    ...["kills", "lost", "doubled", "wrong", "rollup differences", "detection differences"].map((title) => ({
      title,
      align: "right" as const,
    })),
  ];
  const table = renderTable(columns, rows, tableOptions(process.stdout, process.env));
  const missed = places.reduce((sum, place) => sum + place.missed, 0);
  const summary = `seed ${seed}: ${kills} kills in ${seconds} s, ${missed} of them from outside as their place was not reached in time; ${acked} spans acknowledged in ${requests} requests, ${repeats} sent again later; ${incidents} incidents, one alert each, ${toldTwice} told twice; ${lmdbEnds} ends because lmdb aborted a commit, started again\n`;
  return `${table}${summary}${faults.map((fault) => `fault: ${fault}\n`).join("")}`;
}

/** The mutation table: every mistake must be red. */
export function printMutations(results: readonly MutationResult[]): string {
  const numbers = ["kills", "lost", "doubled", "rollups"] as const;
  const columns = [
    { title: "mutation" },
    { title: "killed at" },
    ...["kills", "lost", "doubled", "rollup differences"].map((title) => ({ title, align: "right" as const })),
    { title: "found" },
  ];
  const rows = results.map((result) => [
    result.mutation,
    result.place,
    ...numbers.map((name) => String(result[name])),
    result.red ? "red" : "GREEN: NOT FOUND",
  ]);
  return renderTable(columns, rows, tableOptions(process.stdout, process.env));
}

/** The scenarios, with what was seen below the table. */
export function printScenarios(results: readonly ScenarioResult[]): string {
  const columns = [
    { title: "scenario" },
    ...["lost", "doubled", "rollup differences"].map((title) => ({ title, align: "right" as const })),
    { title: "outcome" },
  ];
  const rows = results.map(({ scenario, skipped, lost, doubled, rollups, faults }) => [
    scenario,
    ...(skipped === undefined ? [lost, doubled, rollups].map(String) : ["-", "-", "-"]),
    skipped === undefined ? (faults.length === 0 ? "ok" : `${faults.length} faults`) : `skipped: ${skipped}`,
  ]);
  const lines = results.flatMap(({ scenario, notes, faults }) => [
    `${scenario}: ${notes.join("; ")}\n`,
    ...faults.map((fault) => `fault: ${scenario}: ${fault}\n`),
  ]);
  return `${renderTable(columns, rows, tableOptions(process.stdout, process.env))}${lines.join("")}`;
}
