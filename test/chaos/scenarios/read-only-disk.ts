/** The disk has become read-only: the server must refuse to start with one plain line, and lose nothing. */

import { join } from "node:path";
import { type ScenarioResult, type Scene, skipped, sleep, underLoad } from "./scenario.ts";
import { mountSmallDisk, type SmallDisk, smallDiskEnvironment } from "./small-disk.ts";

const scenario = "read-only disk";
const loadMs = 3000;
const endsWithinMs = 30_000;

export async function readOnlyDisk(seed: number): Promise<ScenarioResult> {
  const disk = mountSmallDisk(64);
  if (typeof disk === "string") return skipped(scenario, disk);
  try {
    const directory = join(disk.path, "data");
    return await underLoad({ scenario, seed, victim: { directory, environment: smallDiskEnvironment } }, (scene) =>
      play(scene, disk),
    );
  } finally {
    disk.unmount();
  }
}

/** A file system with files open for writing cannot be made read-only, so the server is killed first. */
async function play({ victim, fleet, note, fault }: Scene, disk: SmallDisk): Promise<void> {
  await victim.start();
  fleet.start();
  await sleep(loadMs);
  await victim.kill();
  disk.remount("ro");
  victim.spawn();
  const ended = await victim.gone(endsWithinMs);
  const { code, signal } = victim.ended();
  if (!ended) {
    fault("the server neither works nor ends");
    await victim.kill();
  } else if (code !== 1) fault(`ended with ${code ?? signal}, not with 1`);
  const lines = victim.output().trim().split("\n");
  note(`said: ${lines.at(-1)}`);
  if (lines.length !== 1) fault(`said ${lines.length} lines, not one`);
  if (!/^burnwatch serve: cannot write into the data directory .*read-only/.test(lines.join(" ")))
    fault("does not say that the disk is read-only");
  disk.remount("rw");
  await victim.start();
  await sleep(loadMs);
}
