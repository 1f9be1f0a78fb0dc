/**
 * A cluster whose processes are replaced one by one by those of another version, under load, there and back: what is stored must be
 * what was acknowledged, and what is told what judges say who were never replaced.
 */

import { createServer, type Server } from "node:http";
import { fileURLToPath } from "node:url";
import { type Random, seededRandom } from "../../src/ingest/otlp-random.ts";
import { readTrace } from "../../src/replay/read-trace.ts";
import { chaosSpan, requestOf } from "../chaos/chaos-span.ts";
import { Fleet } from "../chaos/exporters.ts";
import { Ledger } from "../chaos/ledger.ts";
import { rollupDifferences, storedSpans } from "../chaos/stored.ts";
import { type Burnwatch, freePort } from "../support/burnwatch.ts";
import { startCluster, type TestCluster } from "../support/cluster.ts";
import { postUntilAcked } from "../support/load.ts";
import { differencesToUndisturbed } from "../support/undisturbed.ts";

export interface RollingOptions {
  readonly seed: number;
  /** The `main.ts` of the other version. */
  readonly old: string;
  readonly progress: (text: string) => void;
}

/** What was found wrong by the end of a pass; everything before it counts again. */
export interface PassRow {
  readonly pass: string;
  readonly replaced: number;
  readonly lost: number;
  readonly doubled: number;
  readonly wrong: number;
  readonly rollups: number;
  /** Incidents of the load that were not told, and those told twice. */
  readonly untold: number;
  readonly toldTwice: number;
  /** A version that waits for another. */
  readonly waited: boolean;
}

export interface RollingResult {
  readonly rows: readonly PassRow[];
  readonly acked: number;
  readonly alerts: number;
  /** To judges who were never replaced. */
  readonly differences: { readonly deltas: number; readonly claims: number; readonly alerts: number };
  readonly faults: readonly string[];
}

interface Part {
  readonly role: string;
  readonly process: Burnwatch;
}

const roles = ["collector", "resolver", "writer", "detector", "alerter", "api"] as const;
/** Passes in their order. None has a version that the one before it did not leave. */
const passes = [
  { name: "old to new, collectors first", to: "new", order: "as they feed each other", kills: false },
  { name: "new to old, writers first", to: "old", order: "the other way", kills: false },
  { name: "old to new, at random, a third killed", to: "new", order: "at random", kills: true },
] as const;
type Pass = (typeof passes)[number];

const partitions = 4;
const processesOfRole = 2;
const [workMs, settledWithinMs] = [2500, 120_000];
/** Brokers answer a commit before each of them has marked its end. */
const [markedTries, markedMs] = [5, 3000];
const [calmMinutes, shopUsers, minuteMs] = [30, 10, 60_000];
/** One of them becomes dear in each pass. */
const shopFeatures = ["chat", "search", "summary", "draft", "triage", "review"];
/** Input of a call: half a cent, and a dollar. */
const [usualInput, dearInput] = [2000, 400_000];
const waitsFor = "a partition waits for another version";
const traceFile = fileURLToPath(new URL("../../src/replay/data/AzureLLMInferenceTrace_conv.csv.gz", import.meta.url));

/** Plays all passes over one cluster. */
export async function replaceAll(options: RollingOptions): Promise<RollingResult> {
  const told: Told[] = [];
  const webhook = await listenForAlerts(told);
  const cluster = await startCluster({ partitions });
  try {
    const environment = { BURNWATCH_WEBHOOK: webhook.url };
    const parts: Part[] = [];
    for (const role of roles)
      for (let index = 0; index < (role === "api" ? 1 : processesOfRole); index++)
        parts.push({ role, process: await cluster.start(role, environment, options.old) });
    const { calls } = await readTrace({ file: traceFile });
    const tokens = (random: Random) => {
      const { inputTokens = 1, outputTokens = 1 } = calls[random(calls.length)] ?? {};
      return { input: inputTokens, output: outputTokens };
    };
    return await new Rolling(options, { cluster, parts, told, tokens }).run();
  } finally {
    await cluster.stop();
    webhook.server.close();
  }
}

interface Told {
  readonly feature: string;
  readonly tenant: string;
}

async function listenForAlerts(told: Told[]): Promise<{ readonly server: Server; readonly url: string }> {
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += String(chunk);
    const { alerts } = JSON.parse(body) as {
      alerts: readonly { readonly status: string; readonly labels: Readonly<Record<string, string>> }[];
    };
    for (const { status, labels } of alerts)
      if (status === "firing" && labels["alertname"] === "spend_above_baseline")
        told.push({ feature: labels["feature"] ?? "", tenant: labels["tenant"] ?? "" });
    response.end();
  });
  const port = await freePort();
  server.listen(port, "127.0.0.1");
  return { server, url: `http://127.0.0.1:${port}/` };
}

interface Scene {
  readonly cluster: TestCluster;
  readonly parts: readonly Part[];
  readonly told: readonly Told[];
  readonly tokens: (random: Random) => { readonly input: number; readonly output: number };
}

class Rolling {
  readonly #options: RollingOptions;
  readonly #scene: Scene;
  readonly #random: Random;
  readonly #ledger = new Ledger();
  readonly #fleets: readonly Fleet[];
  readonly #faults: string[] = [];
  readonly #dear: string[] = [];
  #shopMs = 0;

  constructor(options: RollingOptions, scene: Scene) {
    this.#options = options;
    this.#scene = scene;
    this.#random = seededRandom(options.seed);
    const collectors = scene.parts.filter(({ role }) => role === "collector");
    this.#fleets = collectors.map(
      ({ process }, index) =>
        new Fleet({
          ledger: this.#ledger,
          tracesUrl: process.tracesUrl,
          exporters: 2,
          seed: options.seed + 100 * index,
          pauseMsMax: 100,
          tokens: scene.tokens,
        }),
    );
  }

  async run(): Promise<RollingResult> {
    const { progress } = this.#options;
    this.#shopMs = Date.now() - calmMinutes * minuteMs;
    await this.#shop();
    for (const fleet of this.#fleets) fleet.start();
    const rows: PassRow[] = [];
    for (const pass of passes) {
      const dear = shopFeatures[this.#dear.length] ?? "";
      this.#dear.push(dear);
      for (const part of this.#ordered(pass)) {
        progress(`${pass.name}: ${part.role}, ${this.#ledger.ackedSpans()} spans acknowledged`);
        await this.#replace(part, pass);
        await sleep(workMs);
        await this.#shop();
      }
      rows.push(await this.#judge(pass));
    }
    for (const fleet of this.#fleets) await fleet.stop();
    const differences = await this.#differences();
    const acked = this.#ledger.ackedSpans();
    return { rows, acked, alerts: this.#scene.told.length, differences, faults: this.#faults };
  }

  #ordered({ order }: Pass): readonly Part[] {
    const { parts } = this.#scene;
    if (order === "as they feed each other") return parts;
    if (order === "the other way") return parts.toReversed();
    return parts
      .map((part) => ({ part, at: this.#random(1_000_000) }))
      .sort((a, b) => a.at - b.at)
      .map(({ part }) => part);
  }

  async #replace({ role, process }: Part, { name, to, kills }: Pass): Promise<void> {
    // An alerter that dies between telling and noting that it did tells twice, by right.
    if (kills && role !== "alerter" && this.#random(3) === 0) await process.kill();
    else {
      const code = await process.stop();
      if (code !== 0) this.#faults.push(`${name}: a ${role} stopped with ${code}: ${process.output().slice(-500)}`);
    }
    await process.start(to === "old" ? this.#options.old : undefined);
  }

  /** Calls of every minute up to now, of the features that are usual and of those that have become dear. */
  async #shop(): Promise<void> {
    const tracesUrl = this.#scene.parts[0]?.process.tracesUrl ?? "";
    for (; this.#shopMs <= Date.now() - minuteMs / 2; this.#shopMs += minuteMs) {
      const spans = shopFeatures.flatMap((feature) =>
        Array.from({ length: shopUsers }, (_, user) =>
          chaosSpan(
            {
              producer: "",
              sequence: 0,
              tenant: "shop",
              feature,
              atMs: this.#shopMs + Math.round((user * minuteMs) / shopUsers / 2),
              input: this.#dear.includes(feature) ? dearInput : usualInput,
              output: 100,
            },
            this.#random,
          ),
        ),
      );
      this.#ledger.sent(spans);
      await postUntilAcked(tracesUrl, requestOf(spans));
      this.#ledger.acked(spans);
    }
  }

  async #judge(pass: Pass): Promise<PassRow> {
    const { cluster, parts, told } = this.#scene;
    for (const fleet of this.#fleets) await fleet.pause();
    const replaced = parts.length;
    let waited = false;
    try {
      await cluster.settle(settledWithinMs);
      await cluster.judged(settledWithinMs);
    } catch (error) {
      const output = parts.map(({ process }) => process.output()).join("\n");
      waited = output.includes(waitsFor);
      // Only an old version may wait for a newer one, and what waits is judged after the next pass.
      if (!waited || pass.to === "new")
        this.#faults.push(`${pass.name}: ${(error as Error).message}\n${output.slice(-4000)}`);
    }
    let faults = await this.#storedFaults();
    for (let more = 0; more < markedTries && faults.lost > 0 && !waited; more++) {
      await sleep(markedMs);
      faults = await this.#storedFaults();
    }
    const rollups = await rollupDifferences((sql) => cluster.store.query(sql));
    const { lost, doubled, wrongCost, foreign, examples } = faults;
    if (!waited) this.#faults.push(...[...examples, ...rollups].slice(0, 8).map((line) => `${pass.name}: ${line}`));
    const times = this.#dear.map(
      (feature) => told.filter((one) => one.tenant === "shop" && one.feature === feature).length,
    );
    const untold = times.filter((count) => count === 0).length;
    const toldTwice = times.filter((count) => count > 1).length;
    if (untold + toldTwice > 0 && !waited) this.#faults.push(`${pass.name}: told ${times.join(", ")} times`);
    for (const fleet of this.#fleets) fleet.resume();
    const wrong = wrongCost + foreign;
    return { pass: pass.name, replaced, lost, doubled, wrong, rollups: rollups.length, untold, toldTwice, waited };
  }

  async #storedFaults() {
    return this.#ledger.faults(await storedSpans((sql) => this.#scene.cluster.store.query(sql)));
  }

  /** Ends the parts in the order in which they feed each other, so that what is compared is at rest. */
  async #differences(): Promise<RollingResult["differences"]> {
    const { cluster, parts } = this.#scene;
    const stop = async (names: readonly string[]) => {
      for (const { role, process } of parts) if (names.includes(role)) await process.stop();
    };
    await stop(["collector"]);
    await cluster.judged(settledWithinMs);
    await stop(["resolver", "writer"]);
    await cluster.judged(settledWithinMs);
    await stop(["detector", "alerter", "api"]);
    const found = await differencesToUndisturbed(cluster);
    for (const [what, lines] of Object.entries(found))
      this.#faults.push(...(lines as readonly string[]).slice(0, 3).map((line) => `${what}: ${line.slice(0, 600)}`));
    return { deltas: found.deltas.length, claims: found.claims.length, alerts: found.alerts.length };
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((done) => setTimeout(done, milliseconds));
}
