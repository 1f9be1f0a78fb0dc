/** Every scenario, in the order of the table. */

import { clockJumps } from "./clock-jumps.ts";
import { diskFull } from "./disk-full.ts";
import { diskFullUnguarded } from "./disk-full-unguarded.ts";
import { lostAcks } from "./lost-acks.ts";
import { readOnlyDisk } from "./read-only-disk.ts";
import type { ScenarioResult } from "./scenario.ts";

export const scenarios: Readonly<Record<string, (seed: number) => Promise<ScenarioResult>>> = {
  "lost acks": lostAcks,
  "disk full": diskFull,
  "disk full unguarded": diskFullUnguarded,
  "read-only disk": readOnlyDisk,
  "clock jumps": clockJumps,
};
