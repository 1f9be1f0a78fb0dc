/** The clock jumps by a day, both ways, while the server runs and while it is down. */

import { fileURLToPath } from "node:url";
import { type ScenarioResult, type Scene, sleep, underLoad } from "./scenario.ts";

const preload = fileURLToPath(new URL("../clock-shift.ts", import.meta.url));
const dayMs = 86_400_000;
const betweenMs = 2000;
/** Ticks come every second. */
const ticksWithinMs = 4000;

export function clockJumps(seed: number): Promise<ScenarioResult> {
  return underLoad({ scenario: "clock jumps", seed }, play);
}

async function play(scene: Scene): Promise<void> {
  const { victim, fleet } = scene;
  const start = (shiftMs: number) => {
    const environment = { CLOCK_SHIFT_MS: String(shiftMs) };
    return victim.start({ nodeFlags: ["--import", preload], environment });
  };
  await start(0);
  fleet.start();
  await sleep(betweenMs);
  for (const [way, shiftMs] of [
    ["ahead", dayMs],
    ["back again", 0],
    ["behind", -dayMs],
    ["ahead again", 0],
  ] as const) {
    victim.tell({ clockShiftMs: shiftMs });
    await sleep(betweenMs);
    await checkTicks(scene, `a jump ${way} while running`);
  }
  for (const [way, shiftMs] of [
    ["ahead", dayMs],
    ["behind", -dayMs],
    ["right", 0],
  ] as const) {
    await victim.kill();
    await start(shiftMs);
    await sleep(betweenMs);
    await checkTicks(scene, `a start with a clock that is ${way}`);
  }
}

/** With the exporters silent the log must still tell the time, or no alert of a silent series ever ends. */
async function checkTicks({ victim, fleet, fault }: Scene, after: string): Promise<void> {
  await fleet.pause();
  await sleep(500);
  const before = await usageLogOffset(victim.apiUrl);
  await sleep(ticksWithinMs);
  if ((await usageLogOffset(victim.apiUrl)) <= before) fault(`no ticks in the usage log after ${after}`);
  fleet.resume();
}

async function usageLogOffset(apiUrl: string): Promise<number> {
  const status = (await (await fetch(`${apiUrl}/api/v1/status`)).json()) as { readonly usageLogOffset: number };
  return status.usageLogOffset;
}
