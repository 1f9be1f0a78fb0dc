/** What is too rare, too long or too large to be run: each by its seed, in virtual time. */

import type { Random } from "../../src/ingest/otlp-random.ts";
import type { Ledger } from "../chaos/ledger.ts";
import type { LoadOptions } from "./exporters.ts";
import type { VirtualTime } from "./virtual-time.ts";
import type { Process, Role, World } from "./world.ts";

export interface Scenario {
  readonly name: string;
  /** Spans of a run of the usual size. */
  readonly spans: number;
  /** Plays in seconds: part of every test run. */
  readonly short?: true;
  readonly play: (stage: Stage) => Promise<void>;
}

/** What a scenario has at hand. */
export interface Stage {
  readonly world: World;
  readonly ledger: Ledger;
  readonly time: VirtualTime;
  readonly random: Random;
  readonly spans: number;
  load(options: Pick<LoadOptions, "spans" | "overMs"> & Partial<LoadOptions>): Promise<void>;
}

const [secondMs, minuteMs, hourMs] = [1000, 60_000, 3_600_000];
const roles: readonly Role[] = ["collector", "resolver", "writer"];

export const scenarios: readonly Scenario[] = [
  { name: "requests and answers lost", spans: 6000, short: true, play: lostRequests },
  { name: "death at every commit", spans: 6000, short: true, play: deaths },
  { name: "a region lost with its disks", spans: 8000, short: true, play: regionLost },
  { name: "a day of lag", spans: 8000, play: dayOfLag },
  { name: "a writer cut off for long", spans: 4000, short: true, play: writerCutOff },
  { name: "ClickHouse away for three hours", spans: 6000, short: true, play: storeAway },
  { name: "clocks minutes apart", spans: 6000, play: clocksApart },
  { name: "one tenant is 90 %", spans: 8000, short: true, play: skewed },
  { name: "a tenant each", spans: 20_000, short: true, play: manyTenants },
];

async function lostRequests({ world, spans, load }: Stage): Promise<void> {
  startAll(world);
  world.kafka.faults.failOneIn = 150;
  world.store.faults.failOneIn = 6;
  await load({ spans, overMs: 10 * minuteMs });
  world.kafka.faults.failOneIn = 0;
  world.store.faults.failOneIn = 0;
}

/** Whoever is about to commit, or just did, may die of it; another takes over, half of the time without the disk. */
async function deaths({ world, random, spans, load }: Stage): Promise<void> {
  startAll(world);
  world.store.faults.failOneIn = 10;
  world.kafka.passing = (process, what) => {
    if ((what !== "commit" && what !== "append") || random(60) !== 0) return;
    const victim = process as Process;
    if (victim.dead || !world.processes.includes(victim)) return;
    world.kill(victim);
    world.startLater(random(3 * secondMs), victim.role, random(2) === 0 ? { disk: victim.disk } : {});
  };
  await load({ spans, overMs: 20 * minuteMs });
  world.kafka.passing = () => undefined;
  world.store.faults.failOneIn = 0;
}

/**
 * Every process dies at once, and what they kept locally is gone; exporters go elsewhere for three hours. When it is back,
 * the same happens once more while it catches up.
 */
async function regionLost({ world, random, spans, load }: Stage): Promise<void> {
  startAll(world);
  world.kafka.faults.failOneIn = 500;
  const sending = load({ spans, overMs: 4 * hourMs });
  await sleep(40 * minuteMs);
  for (const process of [...world.processes]) world.kill(process);
  world.start("collector");
  await sleep(3 * hourMs);
  startAll(world);
  await sleep(random(4 * secondMs));
  for (const process of [...world.processes]) world.kill(process);
  startAll(world);
  await sending;
  world.kafka.faults.failOneIn = 0;
}

/** Nobody resolves and nobody writes for a day. */
async function dayOfLag({ world, spans, load }: Stage): Promise<void> {
  startAll(world);
  const sending = load({ spans, overMs: 26 * hourMs });
  await sleep(hourMs);
  const gone = [...world.of("resolver"), ...world.of("writer")];
  for (const process of gone) world.kill(process);
  await sleep(24 * hourMs);
  for (const { role, disk } of gone) world.start(role, { disk });
  await sending;
}

/** Its last insert arrived, its answer did not; before it gets through again the others have filled the window. */
async function writerCutOff({ world, spans, load }: Stage): Promise<void> {
  startAll(world);
  const sending = load({ spans, overMs: 10 * minuteMs });
  // What was cut between base and rollup, and came too late for its token, nobody can heal: it is not played here.
  world.store.faults.failAt = "answer lost";
  for (let round = 0; round < 3; round++) {
    await sleep(90 * secondMs);
    world.store.faults.failOneIn = 1;
    await sleep(2 * secondMs);
    world.store.faults.away = true;
    await sleep(100 * secondMs);
    world.store.pushOut(10_000);
    world.store.faults.away = false;
    world.store.faults.failOneIn = 0;
  }
  await sending;
}

async function storeAway({ world, spans, load }: Stage): Promise<void> {
  startAll(world);
  const sending = load({ spans, overMs: 4 * hourMs });
  await sleep(20 * minuteMs);
  // It dies in the middle of what it does.
  world.store.faults.failOneIn = 1;
  await sleep(2 * secondMs);
  world.store.faults.away = true;
  world.store.faults.failOneIn = 0;
  await sleep(3 * hourMs);
  world.store.restarted();
  await sending;
}

async function clocksApart({ world, random, spans, load }: Stage): Promise<void> {
  const apart = () => ({ clockAheadMs: (random(20) - 10) * minuteMs });
  for (const role of roles) for (let count = 0; count < 2; count++) world.start(role, apart());
  world.kafka.faults.failOneIn = 300;
  const sending = load({ spans, overMs: 3 * hourMs });
  for (let round = 0; round < 6; round++) {
    await sleep(25 * minuteMs);
    const victim = world.of("resolver")[0];
    if (victim === undefined) continue;
    world.kill(victim);
    world.start("resolver", { ...apart(), ...(random(2) === 0 ? { disk: victim.disk } : {}) });
  }
  await sending;
  world.kafka.faults.failOneIn = 0;
}

async function skewed({ world, spans, load }: Stage): Promise<void> {
  startAll(world);
  await load({
    spans,
    overMs: 10 * minuteMs,
    tenant: (_, random) => (random(10) < 9 ? "the-one" : `tenant-${random(1000)}`),
  });
}

async function manyTenants({ world, spans, load }: Stage): Promise<void> {
  startAll(world);
  await load({ spans, overMs: 30 * minuteMs, tenant: (index) => `tenant-${index}`, spansOfRequest: 100 });
}

function startAll(world: World): void {
  for (const role of roles) for (let count = 0; count < 2; count++) world.start(role);
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((done) => setTimeout(done, milliseconds));
}
