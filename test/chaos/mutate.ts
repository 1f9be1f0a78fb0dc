/** The harness on trial: each deliberate mistake, killed where it bites, must be found. */

import { seededRandom } from "../../src/ingest/otlp-random.ts";
import { type CampaignResult, runCampaign } from "./campaign.ts";
import { failpointKill, type Kill, outsideKill, placeOf } from "./places.ts";
import type { Mutation } from "./stand-between.ts";

export interface MutationResult {
  readonly mutation: Mutation;
  readonly place: string;
  readonly kills: number;
  readonly lost: number;
  readonly doubled: number;
  readonly rollups: number;
  /** Found by what is in the store, not by a crash. */
  readonly red: boolean;
  readonly faults: readonly string[];
}

const killsEach = 3;
/** Batches end by time: a full batch is cut at the same entry again, plan or no plan. */
const rowsMax = [20_000];

type Aim = (random: ReturnType<typeof seededRandom>) => Kill;

/** Where each mistake shows: a repeat after the insert, an insert that never came, an acknowledgement in mid-air. */
const aims: readonly (readonly [Mutation, Aim])[] = [
  ["no-token", (random) => failpointKill("store.insert", "after", random)],
  ["no-plan", (random) => failpointKill("offset.save", "before", random)],
  ["ack-before-fsync", (random) => outsideKill("random", random)],
  ["index-dropped", (random) => outsideKill("random", random)],
  ["offset-before-insert", (random) => failpointKill("store.insert", "before", random)],
];

export async function runMutations(seed: number, progress: (text: string) => void): Promise<readonly MutationResult[]> {
  const results: MutationResult[] = [];
  for (const [mutation, aim] of aims) {
    const random = seededRandom(seed);
    const kills = Array.from({ length: killsEach }, () => aim(random));
    const tell = (text: string) => progress(`${mutation}: ${text}`);
    const result = await runCampaign({ seed, kills, mutation, rowsMax, progress: tell });
    results.push(verdictOf(mutation, kills, result));
  }
  return results;
}

function verdictOf(mutation: Mutation, kills: readonly Kill[], result: CampaignResult): MutationResult {
  const sum = (measure: "lost" | "doubled" | "rollups") =>
    result.places.reduce((total, place) => total + place[measure], 0);
  const [lost, doubled, rollups] = [sum("lost"), sum("doubled"), sum("rollups")];
  const place = kills[0] === undefined ? "" : placeOf(kills[0]);
  const red = lost + doubled + rollups > 0;
  return { mutation, place, kills: result.kills, lost, doubled, rollups, red, faults: result.faults };
}
