/** `npm run test:chaos`: faults of every kind, then the tables of what was lost, doubled or wrongly summed. */

import { seededRandom } from "../../src/ingest/otlp-random.ts";
import { commandLine } from "../support/command-line.ts";
import { runCampaign } from "./campaign.ts";
import { runMutations } from "./mutate.ts";
import { killPlan } from "./places.ts";
import { campaignClean, printCampaign, printMutations, printScenarios } from "./print.ts";
import { runCluster } from "./run-cluster.ts";
import type { ScenarioResult } from "./scenarios/scenario.ts";
import { scenarios } from "./scenarios/scenarios.ts";

const help = `usage: npm run test:chaos [-- [cluster] [--seed N] [--kills N] [--only PLACE] [--mutate] [--json]]

Kills a server with -9 at every named step and at random moments, then plays disks and clocks that misbehave. Prints what
was lost, doubled or wrongly summed by place, and ends with 1 unless all of it is 0.

  cluster      the same over real Kafka brokers, with two processes of each role and faults between them
  --seed N     of everything that is random (a random one)
  --kills N    how many; 0 plays the scenarios alone (108; cluster: one at each place)
  --only P     a place or a scenario, or the beginning of one
  --mutate     leaves one guard out at a time: each must be found
  --rows N     rows of a batch (varied)
  --brokers N  cluster: Kafka brokers (1)
  --stopped S  cluster: how many seconds ClickHouse stands still where it is stopped (60)
  --calls N    cluster: calls of the recorded traces that are sent at least (200000; with --only none)
  --json       one JSON document for each table

examples:
  npm run test:chaos -- --seed 1
  npm run test:chaos -- --kills 0 --mutate
  npm run test:chaos -- cluster --only resolver
`;

const { values, positionals } = commandLine(help, {
  seed: { type: "string", default: String(Math.floor(Math.random() * 1e6)) },
  kills: { type: "string", default: "108" },
  only: { type: "string", default: "" },
  rows: { type: "string" },
  mutate: { type: "boolean", default: false },
  brokers: { type: "string", default: "1" },
  stopped: { type: "string", default: "60" },
  calls: { type: "string" },
  json: { type: "boolean", default: false },
});

const seed = Number(values.seed);
const startedAt = performance.now();

function progress(text: string): void {
  const line = `chaos: ${Math.round((performance.now() - startedAt) / 1000)} s: ${text}`;
  process.stderr.write(process.stderr.isTTY ? `\r${line}\u001b[K` : `${line}\n`);
}

const wanted = (place: string) => place.startsWith(values.only);

/** True when nothing is wrong. */
async function campaign(): Promise<boolean> {
  const kills = killPlan(Number(values.kills), seededRandom(seed), wanted);
  if (kills.length === 0) return true;
  const rowsMax = values.rows === undefined ? {} : { rowsMax: [Number(values.rows)] };
  const result = await runCampaign({ seed, kills, ...rowsMax, progress });
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  const report = { seed, seconds, ...result };
  process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : printCampaign(report));
  return campaignClean(result);
}

/** True when every scenario went well or had to be skipped. */
async function allScenarios(): Promise<boolean> {
  const results: ScenarioResult[] = [];
  for (const [name, run] of Object.entries(scenarios)) {
    if (!wanted(name)) continue;
    progress(name);
    results.push(await run(seed));
  }
  if (results.length > 0)
    process.stdout.write(values.json ? `${JSON.stringify({ seed, scenarios: results })}\n` : printScenarios(results));
  return results.every(({ faults }) => faults.length === 0);
}

/** True when every mutation was found. */
async function mutations(): Promise<boolean> {
  const results = await runMutations(seed, progress);
  process.stdout.write(values.json ? `${JSON.stringify({ seed, mutations: results })}\n` : printMutations(results));
  return results.every(({ red }) => red);
}

/** `cluster`: the same over Kafka, with processes of their own for each role. */
async function cluster(): Promise<boolean> {
  const kills = process.argv.includes("--kills") ? Number(values.kills) : 0;
  const { only, mutate, brokers, stopped, calls = only === "" ? "200000" : "0" } = values;
  const around = { brokers: Number(brokers), stoppedSeconds: Number(stopped), calls: Number(calls) };
  return runCluster({ seed, kills, only, mutate, ...around, progress });
}

if (positionals.includes("cluster")) process.exit((await cluster()) ? 0 : 1);
const clean = values.mutate ? [await mutations()] : [await campaign(), await allScenarios()];
process.exit(clean.every(Boolean) ? 0 : 1);
