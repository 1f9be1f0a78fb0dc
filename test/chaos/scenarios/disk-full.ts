/**
 * The disk fills up under load: the server must go on, refuse spans and say why, answer questions, survive a kill and a
 * stop there, and take spans again by itself once there is space. No acknowledgement may be a lie.
 */

import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type Random, seededRandom } from "../../../src/ingest/otlp-random.ts";
import { sql } from "../../support/burnwatch.ts";
import { chaosSpan, requestOf } from "../chaos-span.ts";
import type { Ledger } from "../ledger.ts";
import { type ScenarioResult, type Scene, skipped, sleep, underLoad } from "./scenario.ts";
import { mountSmallDisk, type SmallDisk, smallDiskEnvironment } from "./small-disk.ts";

const scenario = "disk full";
const megabytes = 128;
const [beforeMs, fullMs, afterMs] = [3000, 6000, 3000];
const reason = /not enough space on the collector's disk: [\d.]+ MB free, [\d.]+ MB needed/;

interface ProbedScene extends Scene {
  readonly random: Random;
}

export async function diskFull(seed: number): Promise<ScenarioResult> {
  const disk = mountSmallDisk(megabytes);
  if (typeof disk === "string") return skipped(scenario, disk);
  // Other ids than those of the exporters, which begin with the seed.
  const random = seededRandom(seed ^ 0xd15c);
  const victim = { directory: join(disk.path, "data"), environment: smallDiskEnvironment };
  try {
    return await underLoad({ scenario, seed, victim }, (scene) => play({ ...scene, random }, disk));
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
  fillDisk(ballast);
  const ackedBefore = ledger.ackedSpans();
  await watchFull(scene, "full disk");
  await victim.kill();
  victim.spawn();
  await watchFull(scene, "start on the full disk");
  await victim.stop();
  victim.spawn();
  await watchFull(scene, "start after a stop on the full disk");
  note(`${ledger.ackedSpans() - ackedBefore} spans acknowledged on the full disk`);
  rmSync(ballast);
  await sleep(afterMs);
  const ready = await fetch(`${victim.apiUrl}/readyz`).catch(() => undefined);
  if (ready?.ok !== true) fault(`not ready ${afterMs / 1000} s after space was freed: ${await ready?.text()}`);
  const ackedHealed = ledger.ackedSpans();
  await sleep(afterMs);
  if (ledger.ackedSpans() === ackedHealed) fault("nothing is acknowledged after space was freed");
}

/** Writes until nothing fits any more. */
export function fillDisk(path: string): void {
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

/** Asks for readiness and sends a record while the disk is full: the server must live, refuse, and say why. */
async function watchFull({ victim, ledger, random, note, fault }: ProbedScene, when: string): Promise<void> {
  const answers = new Map<number, string>();
  let notReady = "";
  for (const until = performance.now() + fullMs; performance.now() < until; await sleep(200)) {
    const ready = await fetch(`${victim.apiUrl}/readyz`).catch(() => undefined);
    if (ready !== undefined && !ready.ok) notReady = (await ready.text()).trim();
    const answer = await probe(victim.tracesUrl, ledger, random);
    if (answer !== undefined) answers.set(answer.status, answer.text);
  }
  note(`${when}: answers ${[...answers.keys()].join(", ") || "nothing"}, "${answers.get(503)}"`);
  if (!victim.alive()) {
    const { code, signal } = victim.ended();
    fault(`${when}: ended with ${code ?? signal}: ${victim.output()}`);
    return;
  }
  if (!reason.test(answers.get(503) ?? "")) fault(`${when}: exporters are not told why they shall wait`);
  if (!reason.test(notReady)) fault(`${when}: /readyz says "${notReady}"`);
  const { checks } = (await (await fetch(`${victim.apiUrl}/api/v1/doctor`)).json()) as { checks: readonly object[] };
  if (!checks.some((check) => /"disk","status":"fail"/.test(JSON.stringify(check))))
    fault(`${when}: the doctor is calm`);
  const metrics = await (await fetch(`${victim.apiUrl}/metrics`)).text();
  if (!/^burnwatch_disk_free_bytes \d/m.test(metrics)) fault(`${when}: no metric tells of the disk`);
  const [row] = await sql<{ calls: string }>(victim.apiUrl, "SELECT sum(calls) AS calls FROM usage");
  if (!(Number(row?.calls) > 0)) fault(`${when}: the stored calls cannot be queried`);
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
