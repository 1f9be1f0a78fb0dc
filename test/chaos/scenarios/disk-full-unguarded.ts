/** The guard comes too late (here it is off): a write meets the end of the disk. The server must say so and end, not well. */

import { rmSync } from "node:fs";
import { join } from "node:path";
import { fillDisk } from "./disk-full.ts";
import { type ScenarioResult, type Scene, skipped, sleep, underLoad } from "./scenario.ts";
import { mountSmallDisk, type SmallDisk } from "./small-disk.ts";

const scenario = "disk full unguarded";
const [loadMs, endsWithinMs] = [2000, 30_000];
/**
 * lmdb-js 3.5.6 overruns the heap while it words a failed write (`src/event-log/disk-space.ts`): having said what is wrong,
 * the process may die of that on its way out, and nobody can keep it from it. Nothing may be lost either way.
 */
const heapFaults: readonly (string | null)[] = ["SIGSEGV", "SIGABRT", "SIGBUS"];

export async function diskFullUnguarded(seed: number): Promise<ScenarioResult> {
  const disk = mountSmallDisk(128);
  if (typeof disk === "string") return skipped(scenario, disk);
  const victim = { directory: join(disk.path, "data"), environment: { BURNWATCH_DISK_FREE_BYTES_MIN: "0" } };
  try {
    return await underLoad({ scenario, seed, victim }, (scene) => play(scene, disk));
  } finally {
    disk.unmount();
  }
}

async function play({ victim, fleet, note, fault }: Scene, disk: SmallDisk): Promise<void> {
  await victim.start();
  fleet.start();
  await sleep(loadMs);
  const ballast = join(disk.path, "ballast");
  fillDisk(ballast);
  const ended = await victim.gone(endsWithinMs);
  const { code, signal } = victim.ended();
  const words = victim
    .output()
    .split("\n")
    .filter((line) => /cannot write .*, 0\.\d MB free there/.test(line));
  note(`ends with ${code ?? signal}, says "${words.at(-1) ?? ""}"`);
  if (!ended) fault("the server neither works nor ends");
  if (ended && code !== 1 && !heapFaults.includes(signal))
    fault(`ended with ${code ?? signal}, not with 1 or a fault of the heap`);
  if (words.length === 0) fault(`does not say that there is no space left, but:\n${victim.output()}`);
  await victim.kill();
  rmSync(ballast);
  await victim.start();
  await sleep(loadMs);
}
