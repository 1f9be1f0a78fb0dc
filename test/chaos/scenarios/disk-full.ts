/** The disk fills up under load: no acknowledgement may be a lie, the reason must be said, and space must heal it. */

import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type Random, seededRandom } from "../../../src/ingest/otlp-random.ts";
import { chaosSpan, requestOf } from "../chaos-span.ts";
import type { Ledger } from "../ledger.ts";
import { type ScenarioResult, type Scene, skipped, sleep, underLoad } from "./scenario.ts";
import { mountSmallDisk, type SmallDisk } from "./small-disk.ts";

const scenario = "disk full";
const megabytes = 64;
const [beforeMs, fullMs, afterMs] = [3000, 8000, 3000];

interface ProbedScene extends Scene {
  readonly random: Random;
}

export async function diskFull(seed: number): Promise<ScenarioResult> {
  const disk = mountSmallDisk(megabytes);
  if (typeof disk === "string") return skipped(scenario, disk);
  // Other ids than those of the exporters, which begin with the seed.
  const random = seededRandom(seed ^ 0xd15c);
  try {
    const directory = join(disk.path, "data");
    return await underLoad({ scenario, seed, victim: { directory } }, (scene) => play({ ...scene, random }, disk));
  } finally {
    disk.unmount();
  }
}

async function play(scene: ProbedScene, disk: SmallDisk): Promise<void> {
  const { victim, fleet, ledger, note, fault } = scene;
  await victim.start();
  fleet.start();
  await sleep(beforeMs);
  const ballast = join(disk.path, "ballast");
  fill(ballast);
  const ackedBefore = ledger.ackedSpans();
  await watchFull(scene, "full disk");
  if (!victim.alive()) {
    victim.spawn();
    await watchFull(scene, "start on the full disk");
  }
  note(`${ledger.ackedSpans() - ackedBefore} spans acknowledged on the full disk`);
  rmSync(ballast);
  await sleep(afterMs);
  const ready = await fetch(`${victim.apiUrl}/readyz`).catch(() => undefined);
  note(ready?.ok === true ? "space healed it without a restart" : "a restart was needed after space was freed");
  if (ready?.ok !== true) {
    await victim.kill();
    await victim.start();
  }
  const ackedHealed = ledger.ackedSpans();
  await sleep(afterMs);
  if (ledger.ackedSpans() === ackedHealed) fault("nothing is acknowledged after space was freed");
}

/** Writes until nothing fits any more. */
function fill(path: string): void {
  const file = openSync(path, "w");
  try {
    for (let size = 1 << 20; size >= 512; size >>= 1) {
      const chunk = Buffer.alloc(size, 1);
      try {
        for (;;) if (writeSync(file, chunk) < size) break;
      } catch {
        // Full for this size; what is left takes smaller pieces.
      }
    }
  } finally {
    closeSync(file);
  }
}

/** Asks for readiness and sends a record while the disk is full: the server must refuse, and say why in plain words. */
async function watchFull({ victim, ledger, random, note, fault }: ProbedScene, when: string): Promise<void> {
  const statuses = new Set<number>();
  let [notReady, message] = ["", ""];
  for (const until = performance.now() + fullMs; performance.now() < until; await sleep(200)) {
    const ready = await fetch(`${victim.apiUrl}/readyz`).catch(() => undefined);
    if (ready !== undefined && !ready.ok) notReady = (await ready.text()).trim();
    const answer = await probe(victim.tracesUrl, ledger, random);
    if (answer === undefined) continue;
    statuses.add(answer.status);
    if (answer.status !== 200) message = answer.text;
  }
  const { code, signal } = victim.ended();
  const alive = victim.alive();
  const lastWords = victim.output().trim().split("\n").at(-1) ?? "";
  note(
    `${when}: ${alive ? "goes on" : `ends with ${code ?? signal}`}, answers ${[...statuses].join(", ") || "nothing"}`,
  );
  for (const words of new Set([notReady, message, lastWords])) if (words !== "") note(`${when}: "${words}"`);
  if (alive && notReady === "" && !statuses.has(503)) fault(`${when}: neither 503 nor failed readiness`);
  if (!alive && code !== 1) fault(`${when}: ended with ${code ?? signal}, not with 1`);
  if (!/no space|ENOSPC|disk (is )?full|not enough space/i.test(`${lastWords}${notReady}${message}`))
    fault(`${when}: nothing says that the disk is full`);
}

async function probe(tracesUrl: string, ledger: Ledger, random: Random) {
  const [producer, tenant, feature] = ["", "probe", "probe"];
  const spans = [chaosSpan({ producer, sequence: 0, tenant, feature, atMs: Date.now(), input: 1, output: 1 }, random)];
  ledger.sent(spans);
  const headers = { "content-type": "application/json" };
  const request = { method: "POST", headers, body: requestOf(spans), signal: AbortSignal.timeout(3000) };
  const answer = await fetch(tracesUrl, request).catch(() => undefined);
  if (answer === undefined) return undefined;
  if (answer.ok) ledger.acked(spans);
  return { status: answer.status, text: (await answer.text()).trim() };
}
