/**
 * A cluster under attack: two processes of each role over real brokers and a ClickHouse server, killed at one place after
 * another and cut off from one another, and judged after each. Where a place fails, the next ones get a new cluster.
 */

import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Random, seededRandom } from "../../src/ingest/otlp-random.ts";
import { startCluster, type TestCluster } from "../support/cluster.ts";
import { alertsOfOneProcess, differencesToUndisturbed } from "../support/undisturbed.ts";
import { ClusterIncidents, clusterExcessUsdPerMinuteMin, incidentKind } from "./cluster-incidents.ts";
import type { ClusterMutation } from "./cluster-part.ts";
import { type ClusterPlace, type ClusterRole, clusterRoles, disturbsAlerts } from "./cluster-places.ts";
import { whereDoubled } from "./doubled.ts";
import { Fleet } from "./exporters.ts";
import { Ledger, type LedgerFaults } from "./ledger.ts";
import { failpointKill, type Phase, type Step } from "./places.ts";
import { type Ask, rollupDifferences, storedSpans } from "./stored.ts";
import type { TraceCall } from "./trace-calls.ts";
import { Victim, VictimError } from "./victim.ts";
import { Webhook } from "./webhook.ts";

export interface ClusterRow {
  readonly place: string;
  /** Or faults. */
  readonly kills: number;
  readonly missed: number;
  readonly lost: number;
  readonly doubled: number;
  readonly wrong: number;
  readonly rollups: number;
  /** Never told, told twice, or since another time. */
  readonly incidents: number;
  /** The place could not be judged; why stands among the faults. */
  readonly failed: boolean;
}

export interface ClusterResult {
  readonly rows: readonly ClusterRow[];
  readonly acked: number;
  readonly requests: number;
  readonly repeats: number;
  readonly incidents: number;
  readonly faults: readonly string[];
}

export interface ClusterChaosOptions {
  readonly seed: number;
  /** Kills at each place before it is judged. */
  readonly killsEach: number;
  readonly mutation?: ClusterMutation;
  /** Of everything in Kafka as many copies as there are brokers. */
  readonly brokers: number;
  /** How long ClickHouse is stopped where it is. */
  readonly stoppedMs: number;
  /** Models and tokens of what is sent. */
  readonly nextCall: () => TraceCall;
  readonly progress: (text: string) => void;
}

/** One stretch of a campaign, on a cluster of its own. */
export interface Stretch extends ClusterChaosOptions {
  readonly places: readonly ClusterPlace[];
  /** After the places calls go on until so many are acknowledged. */
  readonly callsMin: number;
}

const partitions = 4;
const processesOfRole = 2;
const exportersOfCollector = 2;
/** Each judgement reads all that was ever stored: more load would be more to read, and no more kills. */
const pauseMsMax = 200;
/** A mistake of the writer shows where there is something in a batch: with little load many hold nothing but the time. */
const mutatedPauseMsMax = 60;
const reachedWithinMs = 30_000;
/** A group that does not get any further for so long is stuck; on a crowded machine a moving one may take a while. */
const stuckMs = 60_000;
const settleTries = 8;
const ackedWithinMs = 180_000;
const [markedTries, markedMs] = [5, 3000];
/** A place is judged under load: so long after a kill there is some behind it. */
const workMs = 3000;
/** Rows of one insert, another limit at each start: a batch is repeated as it was planned, whatever the limit is by then. */
const rowsMax = [130, 400, 2000];
const entry = fileURLToPath(new URL("cluster-part.ts", import.meta.url));
const nothingWrong = { lost: 0, doubled: 0, wrong: 0, rollups: [] as readonly string[], incidents: 0 };

type Parts = ReadonlyMap<ClusterRole, readonly Victim[]>;

interface Running {
  readonly cluster: TestCluster;
  readonly parts: Parts;
  readonly webhook: Webhook;
  /** One more of each role, started. */
  more(): Promise<readonly Victim[]>;
}

/** Plays the places in order on a new cluster, up to the first that cannot be judged. @throws Error where it does not start. */
export async function runStretch(options: Stretch): Promise<ClusterResult> {
  const webhook = await Webhook.start();
  const cluster = await startCluster({ partitions, proxiedBrokers: options.brokers });
  const environment = {
    ...cluster.environment,
    // A connection that fell silent is given up within the time that a place is given.
    BURNWATCH_CLICKHOUSE_TIMEOUT_SECONDS: "5",
    BURNWATCH_EXCESS_USD_PER_MINUTE_MIN: String(clusterExcessUsdPerMinuteMin),
    ...(options.mutation === undefined ? {} : { CHAOS_MUTATION: options.mutation }),
  };
  // What a mistake does to the store is asked of the store.
  const roles = clusterRoles.filter((role) => options.mutation === undefined || !judges(role));
  const all: Victim[] = [];
  const create = async (role: ClusterRole) => {
    const told = role === "alerter" ? { BURNWATCH_WEBHOOK: webhook.url } : {};
    const part = await Victim.create({ entry, environment: { ...environment, ...told, CHAOS_ROLES: role } });
    all.push(part);
    return part;
  };
  const startEach = async (started: readonly Victim[]) => {
    for (const [index, part] of started.entries()) await part.start(limited(index % rowsMax.length));
    return started;
  };
  const more = async () => startEach(await Promise.all(roles.map(create)));
  try {
    const parts = new Map<ClusterRole, readonly Victim[]>();
    for (const role of roles)
      parts.set(role, await startEach(await Promise.all(Array.from({ length: processesOfRole }, () => create(role)))));
    return await new ClusterChaos({ ...options, environment }, { cluster, parts, webhook, more }).run();
  } finally {
    for (const part of all) await part.remove();
    await cluster.stop();
    webhook.stop();
  }
}

class ClusterChaos {
  readonly #options: Stretch & { readonly environment: Readonly<Record<string, string>> };
  readonly #running: Running;
  readonly #ledger = new Ledger();
  readonly #fleets: readonly Fleet[];
  readonly #incidents: ClusterIncidents;
  readonly #random: Random;
  readonly #faults: string[] = [];
  #before = nothingWrong;

  constructor(options: Stretch & { readonly environment: Readonly<Record<string, string>> }, running: Running) {
    this.#options = options;
    this.#running = running;
    this.#random = seededRandom(options.seed);
    const { nextCall, seed, killsEach, places, mutation } = options;
    const ledger = this.#ledger;
    const count = places.filter(disturbsAlerts).length * killsEach;
    this.#incidents = new ClusterIncidents({ ledger, webhook: running.webhook, random: this.#random, count });
    const fleetOf = ({ tracesUrl }: Victim, index: number) =>
      new Fleet({
        ledger,
        tracesUrl,
        exporters: exportersOfCollector,
        seed: seed + 100 * index,
        pauseMsMax: mutation === undefined ? pauseMsMax : mutatedPauseMsMax,
        tokens: nextCall,
        ackedWithinMs,
      });
    this.#fleets = this.#collectors().map(fleetOf);
  }

  async run(): Promise<ClusterResult> {
    const rows: ClusterRow[] = [];
    try {
      await this.#incidents.calm(this.#collectors()[0]?.tracesUrl ?? "");
      for (const fleet of this.#fleets) fleet.start();
      await sleep(workMs);
      for (const place of this.#options.places) {
        rows.push(await this.#play(place));
        if (rows.at(-1)?.failed) return this.#result(rows);
      }
      rows.push(...(await this.#end()));
      return this.#result(rows);
    } finally {
      for (const fleet of this.#fleets) fleet.abandon();
    }
  }

  #collectors(): readonly Victim[] {
    return this.#running.parts.get("collector") ?? [];
  }

  #result(rows: readonly ClusterRow[]): ClusterResult {
    const counts = this.#fleets.map((fleet) => fleet.counts());
    return {
      rows,
      acked: this.#ledger.ackedSpans(),
      requests: counts.reduce((sum, { requests }) => sum + requests, 0),
      repeats: counts.reduce((sum, { repeats }) => sum + repeats, 0),
      incidents: this.#incidents.count(),
      faults: this.#faults,
    };
  }

  async #play(place: ClusterPlace): Promise<ClusterRow> {
    const { killsEach, progress, mutation } = this.#options;
    const tellsAlerts = mutation === undefined && disturbsAlerts(place);
    let missed = 0;
    return this.#row({ place: place.name, kills: killsEach }, async () => {
      for (let kill = 0; kill < killsEach; kill++) {
        progress(`${place.name}, ${this.#ledger.ackedSpans()} spans acknowledged`);
        if (tellsAlerts) this.#incidents.begin(this.#collectors()[0]?.tracesUrl ?? "");
        this.#incidents.disturbed();
        if (!(await this.#kill(place))) missed++;
        await sleep(workMs);
      }
      // What never happened was not survived.
      if (missed === killsEach) this.#faults.push(`${place.name}: not reached in ${reachedWithinMs / 1000} s`);
      return { missed, ...(await this.#judge(place.name, tellsAlerts)) };
    });
  }

  /** What goes wrong on the way makes a failed row of it. */
  async #row(
    known: { readonly place: string; readonly kills: number },
    found: () => Promise<Omit<ClusterRow, "place" | "kills" | "failed">>,
  ): Promise<ClusterRow> {
    try {
      const row = { ...known, ...(await found()), failed: false };
      const { place, lost, doubled, wrong, rollups, incidents } = row;
      // Whoever ends the campaign early has seen so much of its table.
      this.#options.progress(`${place}: ${[lost, doubled, wrong, rollups, incidents].join(", ")} wrong`);
      return row;
    } catch (error) {
      const said = [...this.#running.parts.values()].flat().map((part) => part.output().slice(-1500));
      const fault = `${known.place}: ${(error as Error).message}\n${said.join("\n")}`;
      this.#options.progress(fault);
      this.#faults.push(fault);
      return { ...known, ...nothingWrong, rollups: 0, missed: 0, failed: true };
    }
  }

  /** True when it died at the place that was meant. */
  async #kill({ role, how, step, phase, fault }: ClusterPlace): Promise<boolean> {
    const { cluster, parts, more } = this.#running;
    const around = cluster.faults;
    if (role === null) {
      if (around === null) throw new Error("a cluster without proxies");
      if (fault !== undefined) {
        const { stoppedMs } = this.#options;
        return fault.run({ ...around, random: this.#random, stoppedMs, more });
      }
      const index = this.#random(this.#options.brokers);
      await around.brokers.end(index, "kill");
      await around.brokers.start(index);
      return true;
    }
    const both = parts.get(role) ?? [];
    let part = both[this.#random(processesOfRole)];
    if (part === undefined) throw new Error(`no process is a ${role}`);
    let reached = true;
    if (how === "failpoint" && step !== undefined && phase !== undefined) {
      // Of alerters one works, and the others stand by.
      const ended = await this.#firstToDie(role === "alerter" ? both : [part], step, phase);
      reached = ended !== undefined;
      part = ended ?? part;
    } else await sleep(this.#random(1000));
    await part.kill();
    if (how === "memory-lost")
      for (const name of readdirSync(part.directory))
        if (name.startsWith("memory-")) rmSync(join(part.directory, name), { recursive: true });
    await part.start(limited(this.#random(rowsMax.length)));
    return reached;
  }

  /** The first of them that dies at the step; undefined where none does in time. */
  async #firstToDie(of: readonly Victim[], step: Step, phase: Phase): Promise<Victim | undefined> {
    const kill = failpointKill(step, phase, this.#random);
    if (kill.kind !== "failpoint") return undefined;
    const failpoint = { ...kill.failpoint, passing: 1 + (kill.failpoint.passing % 5) };
    for (const one of of) one.tell(failpoint);
    const dying = of.map(async (one) => {
      if (await one.gone(reachedWithinMs)) return one;
      throw new Error("it lives");
    });
    const ended = await Promise.any(dying).catch(() => undefined);
    for (const one of of) if (one !== ended) one.tell({ ...failpoint, passing: Number.MAX_SAFE_INTEGER });
    return ended;
  }

  async #settledFaults(ask: Ask): Promise<LedgerFaults> {
    await this.#settled((within) => this.#running.cluster.settle(within));
    return this.#ledger.faults(await storedSpans(ask));
  }

  async #settled(settle: (withinMs: number) => Promise<void>): Promise<void> {
    let before = "";
    for (let tries = 1; ; tries++) {
      const behind = await settle(stuckMs).then(
        () => null,
        // Says where each partition is.
        (error: Error) => error.message,
      );
      if (behind === null) return;
      if (behind === before || tries === settleTries)
        throw new VictimError(`not settled after ${(tries * stuckMs) / 1000} s: ${behind}`);
      before = behind;
    }
  }

  async #judge(place: string, alerts: boolean) {
    const { cluster } = this.#running;
    for (const fleet of this.#fleets) await fleet.pause();
    await this.#incidents.acknowledged();
    const ask = <Row>(sql: string) => cluster.store.query<Row>(sql);
    let faults = await this.#settledFaults(ask);
    // Brokers answer a commit before each of them has marked its end: until then what it holds is not there to be read.
    for (let more = 0; more < markedTries && faults.lost > this.#before.lost; more++) {
      await sleep(markedMs);
      faults = await this.#settledFaults(ask);
    }
    if (alerts) await this.#settled((within) => cluster.judged(within));
    const untold = alerts ? await this.#incidents.faults() : [];
    const { lost, doubled, wrongCost, foreign, examples } = faults;
    if (doubled > this.#before.doubled) this.#faults.push(...(await whereDoubled(cluster, ask)));
    const before = this.#before;
    const incidents = alerts ? untold.length : before.incidents;
    const now = { lost, doubled, wrong: wrongCost + foreign, rollups: await rollupDifferences(ask), incidents };
    this.#before = now;
    const rollups = now.rollups.filter((line) => !before.rollups.includes(line));
    if (lost + doubled + now.wrong + now.rollups.length + untold.length > 0)
      this.#faults.push(...[...examples, ...rollups, ...untold].slice(0, 8).map((line) => `${place}: ${line}`));
    for (const fleet of this.#fleets) fleet.resume();
    return {
      lost: Math.max(0, lost - before.lost),
      doubled: Math.max(0, doubled - before.doubled),
      wrong: Math.max(0, now.wrong - before.wrong),
      rollups: rollups.length,
      incidents: Math.max(0, incidents - before.incidents),
    };
  }

  /** The rest of the calls, then detectors and alerters against such as were never disturbed. */
  async #end(): Promise<readonly ClusterRow[]> {
    const { callsMin, progress, mutation } = this.#options;
    const rest = await this.#row({ place: "nothing more: the rest of the calls", kills: 0 }, async () => {
      while (this.#ledger.ackedSpans() < callsMin) {
        progress(`the rest of the calls, ${this.#ledger.ackedSpans()} spans acknowledged`);
        await sleep(workMs);
      }
      return { missed: 0, ...(await this.#judge("the rest of the calls", mutation === undefined)) };
    });
    if (rest.failed || mutation !== undefined) return [rest];
    progress("judging all records anew");
    const anew = await this.#row({ place: "all records judged anew, undisturbed", kills: 0 }, async () => {
      for (const fleet of this.#fleets) await fleet.pause();
      const { parts, cluster } = this.#running;
      await this.#settled((within) => cluster.settle(within));
      // Resolvers tell the time for as long as they live: what is judged must stand still.
      for (const part of parts.get("resolver") ?? []) await part.stop();
      await this.#settled((within) => cluster.judged(within));
      for (const role of ["detector", "alerter"] as const) for (const part of parts.get(role) ?? []) await part.stop();
      const judged = { ...cluster, environment: this.#options.environment };
      const { deltas, claims, alerts: told } = await differencesToUndisturbed(judged);
      const differences = [...deltas, ...claims, ...told].map((line) => line.slice(0, 300));
      const alerts = (await alertsOfOneProcess(judged)).filter(({ kind }) => kind === incidentKind);
      const incidents = this.#incidents.differences(
        alerts.map(({ kind, labels, startsAtMs }) => ({ kind, tenant: labels["tenant"] ?? "", startsAtMs })),
      );
      this.#faults.push(...[...differences, ...incidents].slice(0, 12).map((line) => `judged anew: ${line}`));
      return { ...nothingWrong, rollups: 0, missed: 0, incidents: differences.length + incidents.length };
    });
    return [rest, anew];
  }
}

function judges(role: ClusterRole): boolean {
  return role === "detector" || role === "alerter";
}

function limited(index: number) {
  return { environment: { BURNWATCH_BATCH_ROWS_MAX: String(rowsMax[index]) } };
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((done) => setTimeout(done, milliseconds));
}
