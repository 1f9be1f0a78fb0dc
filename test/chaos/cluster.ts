/**
 * A cluster under attack: two processes of each role over real brokers and a ClickHouse server, killed at one place after
 * another and cut off from one another, and judged after each.
 */

import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Random, seededRandom } from "../../src/ingest/otlp-random.ts";
import { startCluster, type TestCluster } from "../support/cluster.ts";
import { type ClusterFault, clusterFaults } from "./cluster-faults.ts";
import type { ClusterMutation } from "./cluster-part.ts";
import { Fleet } from "./exporters.ts";
import { Ledger, type LedgerFaults, type StoredSpan } from "./ledger.ts";
import { failpointKill, type Phase, phases, type Step } from "./places.ts";
import { type Ask, rollupDifferences, storedSpans } from "./stored.ts";
import { Victim, VictimError } from "./victim.ts";

type Role = "collector" | "resolver" | "writer";

export interface ClusterPlace {
  readonly name: string;
  /** Null for what happens around the processes. */
  readonly role: Role | null;
  readonly how: "failpoint" | "random" | "memory-lost" | "restart" | "fault";
  readonly step?: Step;
  readonly phase?: Phase;
  readonly fault?: ClusterFault;
}

export interface ClusterRow {
  readonly place: string;
  /** Or faults. */
  readonly kills: number;
  readonly missed: number;
  readonly lost: number;
  readonly doubled: number;
  readonly wrong: number;
  readonly rollups: number;
}

export interface ClusterResult {
  readonly rows: readonly ClusterRow[];
  readonly acked: number;
  readonly requests: number;
  readonly repeats: number;
  readonly faults: readonly string[];
}

export interface ClusterChaosOptions {
  readonly seed: number;
  readonly places: readonly ClusterPlace[];
  /** Kills at each place before it is judged. */
  readonly killsEach: number;
  readonly mutation?: ClusterMutation;
  /** Of everything in Kafka as many copies as there are brokers. */
  readonly brokers: number;
  /** How long ClickHouse is stopped where it is. */
  readonly stoppedMs: number;
  readonly progress: (text: string) => void;
}

const partitions = 4;
const processesOfRole = 2;
const exportersOfCollector = 2;
const reachedWithinMs = 30_000;
const settledWithinMs = 120_000;
const [markedTries, markedMs] = [5, 3000];
/** A place is judged under load: so long after a kill there is some behind it. */
const workMs = 3000;
/** Rows of one insert, another limit at each start: a batch is repeated as it was planned, whatever the limit is by then. */
const rowsMax = [130, 400, 2000];
const entry = fileURLToPath(new URL("cluster-part.ts", import.meta.url));
const stepsOf: Readonly<Record<Role, readonly Step[]>> = {
  collector: ["spans.append"],
  resolver: ["usage.commit"],
  writer: ["plan.save", "store.insert", "offset.save"],
};

/** Every place where a cluster is killed. */
export const clusterPlaces: readonly ClusterPlace[] = [
  ...Object.entries(stepsOf).flatMap(([role, steps]) =>
    steps.flatMap((step) =>
      phases.map((phase) => ({
        name: `${role}: ${step} ${phase}`,
        role: role as Role,
        how: "failpoint" as const,
        step,
        phase,
      })),
    ),
  ),
  ...(["collector", "resolver", "writer"] as const).map((role) => ({
    name: `${role}: random`,
    role,
    how: "random" as const,
  })),
  { name: "resolver: random, its disk lost", role: "resolver", how: "memory-lost" },
  { name: "broker: kill -9 and restart", role: null, how: "restart" },
  ...clusterFaults.map((fault) => ({ name: fault.name, role: null, how: "fault" as const, fault })),
];

/** Runs the places in order. */
export async function runClusterChaos(options: ClusterChaosOptions): Promise<ClusterResult> {
  const cluster = await startCluster({ partitions, proxiedBrokers: options.brokers });
  const parts = new Map<Role, Victim[]>();
  const environment = {
    ...cluster.environment,
    // A connection that fell silent is given up within the time that a place is given.
    BURNWATCH_CLICKHOUSE_TIMEOUT_SECONDS: "5",
    ...(options.mutation === undefined ? {} : { CHAOS_MUTATION: options.mutation }),
  };
  const extra: Victim[] = [];
  const create = (role: Role) => Victim.create({ entry, environment: { ...environment, CHAOS_ROLES: role } });
  const more = async () => {
    const joined = await Promise.all((["writer", "resolver", "collector"] as const).map(create));
    extra.push(...joined);
    for (const [index, part] of joined.entries()) await part.start(limited(index));
    return joined;
  };
  try {
    for (const role of ["writer", "resolver", "collector"] as const) {
      parts.set(role, await Promise.all(Array.from({ length: processesOfRole }, () => create(role))));
      for (const [index, part] of (parts.get(role) ?? []).entries()) await part.start(limited(index));
    }
    return await new ClusterChaos(options, cluster, parts, more).run();
  } finally {
    for (const part of [...parts.values(), extra].flat()) await part.remove();
    await cluster.stop();
  }
}

class ClusterChaos {
  readonly #options: ClusterChaosOptions;
  readonly #cluster: TestCluster;
  readonly #parts: ReadonlyMap<Role, readonly Victim[]>;
  readonly #more: () => Promise<readonly Victim[]>;
  readonly #ledger = new Ledger();
  readonly #fleets: readonly Fleet[];
  readonly #random: Random;
  readonly #faults: string[] = [];
  #before = { lost: 0, doubled: 0, wrong: 0, rollups: [] as readonly string[] };

  constructor(
    options: ClusterChaosOptions,
    cluster: TestCluster,
    parts: ReadonlyMap<Role, readonly Victim[]>,
    more: () => Promise<readonly Victim[]>,
  ) {
    this.#options = options;
    this.#more = more;
    this.#cluster = cluster;
    this.#parts = parts;
    this.#random = seededRandom(options.seed);
    this.#fleets = (parts.get("collector") ?? []).map(
      ({ tracesUrl }, index) =>
        new Fleet({
          ledger: this.#ledger,
          tracesUrl,
          exporters: exportersOfCollector,
          seed: options.seed + 100 * index,
          pauseMsMax: 60,
        }),
    );
  }

  async run(): Promise<ClusterResult> {
    const { places, killsEach, progress } = this.#options;
    const rows: ClusterRow[] = [];
    for (const fleet of this.#fleets) fleet.start();
    await sleep(workMs);
    for (const place of places) {
      let missed = 0;
      for (let kill = 0; kill < killsEach; kill++) {
        progress(`${place.name}, ${this.#ledger.ackedSpans()} spans acknowledged`);
        if (!(await this.#kill(place))) missed++;
        await sleep(workMs);
      }
      rows.push({ place: place.name, kills: killsEach, missed, ...(await this.#judge(place.name)) });
    }
    const counts = this.#fleets.map((fleet) => fleet.counts());
    for (const fleet of this.#fleets) await fleet.stop();
    return {
      rows,
      acked: this.#ledger.ackedSpans(),
      requests: counts.reduce((sum, { requests }) => sum + requests, 0),
      repeats: counts.reduce((sum, { repeats }) => sum + repeats, 0),
      faults: this.#faults,
    };
  }

  /** True when it died at the place that was meant. */
  async #kill({ role, how, step, phase, fault }: ClusterPlace): Promise<boolean> {
    const around = this.#cluster.faults;
    if (role === null) {
      if (around === null) throw new Error("a cluster without proxies");
      if (fault !== undefined) {
        const { stoppedMs } = this.#options;
        return fault.run({ ...around, random: this.#random, stoppedMs, more: this.#more });
      }
      const index = this.#random(this.#options.brokers);
      await around.brokers.end(index, "kill");
      await around.brokers.start(index);
      return true;
    }
    const part = this.#parts.get(role)?.[this.#random(processesOfRole)];
    if (part === undefined) throw new Error(`no process is a ${role}`);
    let reached = true;
    if (how === "failpoint" && step !== undefined && phase !== undefined) {
      const kill = failpointKill(step, phase, this.#random);
      if (kill.kind === "failpoint") part.tell({ ...kill.failpoint, passing: 1 + (kill.failpoint.passing % 5) });
      reached = await part.gone(reachedWithinMs);
    } else await sleep(this.#random(1000));
    await part.kill();
    if (how === "memory-lost")
      for (const name of readdirSync(part.directory))
        if (name.startsWith("memory-")) rmSync(join(part.directory, name), { recursive: true });
    await part.start(limited(this.#random(rowsMax.length)));
    return reached;
  }

  async #settledFaults(place: string, ask: Ask): Promise<LedgerFaults> {
    await this.#cluster.settle(settledWithinMs).catch((error: Error) => {
      const output = [...this.#parts.values()].flat().map((part) => part.output());
      throw new VictimError(
        `${place}: not settled within ${settledWithinMs / 1000} s: ${error.message}\n${output.join("\n")}`,
      );
    });
    const stored: readonly StoredSpan[] = await storedSpans(ask);
    return this.#ledger.faults(stored);
  }

  async #judge(place: string) {
    for (const fleet of this.#fleets) await fleet.pause();
    const ask = <Row>(sql: string) => this.#cluster.store.query<Row>(sql);
    let faults = await this.#settledFaults(place, ask);
    // Brokers answer a commit before each of them has marked its end: until then what it holds is not there to be read.
    for (let more = 0; more < markedTries && faults.lost > this.#before.lost; more++) {
      await sleep(markedMs);
      faults = await this.#settledFaults(place, ask);
    }
    const { lost, doubled, wrongCost, foreign, examples } = faults;
    if (doubled > 0) this.#faults.push(...(await batchesOfDoubled(ask)));
    const now = { lost, doubled, wrong: wrongCost + foreign, rollups: await rollupDifferences(ask) };
    const before = this.#before;
    this.#before = now;
    const rollups = now.rollups.filter((line) => !before.rollups.includes(line));
    if (lost + doubled + now.wrong + now.rollups.length > 0)
      this.#faults.push(...[...examples, ...rollups].slice(0, 8).map((line) => `${place}: ${line}`));
    for (const fleet of this.#fleets) fleet.resume();
    return {
      lost: Math.max(0, lost - before.lost),
      doubled: Math.max(0, doubled - before.doubled),
      wrong: Math.max(0, now.wrong - before.wrong),
      rollups: rollups.length,
    };
  }
}

/** In which batches they came: of ranges that overlap when they were written twice, else resolved twice. */
async function batchesOfDoubled(ask: Ask): Promise<readonly string[]> {
  const rows = await ask<{ line: string }>(
    `SELECT concat(toString(count()), ' spans in batches ', arrayStringConcat(batches, ' and ')) AS line FROM (
       SELECT arraySort(groupArray(batch)) AS batches FROM usage_records GROUP BY tenant, trace_id, span_id
       HAVING sum(calls) > 1) GROUP BY batches ORDER BY count() DESC LIMIT 8`,
  );
  return rows.map(({ line }) => line);
}

function limited(index: number) {
  return { environment: { BURNWATCH_BATCH_ROWS_MAX: String(rowsMax[index]) } };
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((done) => setTimeout(done, milliseconds));
}
