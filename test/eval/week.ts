/** The second null suite at length: weeks of real request rates, client by client, in which nothing is known to be wrong. */

import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { detectors } from "../../detectors/detectors.ts";
import { usageRecord } from "../../detectors/observation-samples.ts";
import { arrivalsOf, backtest, opened } from "../../src/detection/backtest.ts";
import type { Finding } from "../../src/model/finding.ts";
import { noUsage } from "../../src/model/usage.ts";
import type { UsageRecord } from "../../src/model/usage-record.ts";
import type { Cell, Table } from "../bench/bench.ts";
import type { Evaluation } from "./eval.ts";
import { weekCalls, weekClients, weekSets } from "./protocol.ts";
import { poissonInterval } from "./run-length.ts";
import { randomOf } from "./samples.ts";

interface Client {
  readonly name: string;
  /** How long it was watched. */
  readonly lastMs: number;
  /** Requests of each step of ten minutes that has any. */
  readonly steps: readonly { readonly second: number; readonly requests: number }[];
  /** Quantiles of tokens by step of six hours. */
  readonly input: ReadonlyMap<number, readonly number[]>;
  readonly output: ReadonlyMap<number, readonly number[]>;
}

const stepSeconds = 600;
const tokenSeconds = 21_600;
/** Clients that were there in at least half of the steps: the others are guests, and a week of them is no week. */
const stepsMin = 504;
const startMs = Date.UTC(2026, 0, 5);
const firstQuantileColumn = 5;
const shares = [
  0, 1, 2.5, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85, 90, 92.5, 95, 97.5, 99, 99.5, 99.9, 100,
];

/** Dollars that a page was about in the end, from which on each row counts. */
const magnitudes = [0, 2, 5, 20] as const;
const weekMs = 7 * 86_400_000;
const dayMs = 86_400_000;

export const week: Evaluation = {
  name: "week",
  summary: "findings in weeks of real request rates, in which nothing is known to be wrong",
  async run({ size, progress }) {
    const tables: Table[] = [];
    for (const [index, [set, files]] of Object.entries(weekSets).entries()) {
      const clients = files.flatMap((file) => readClients(file).slice(0, weekClients[size]));
      const told: Told[] = [];
      for (const [at, client] of clients.entries()) {
        progress((index + at / clients.length) / 2, client.name);
        await new Promise((resolve) => setImmediate(resolve));
        told.push(...toldOf(client));
      }
      const weeks = clients.reduce((sum, { lastMs }) => sum + Math.round(lastMs / weekMs), 0);
      const days = 7 * weeks - clients.length;
      const title = `${set}: ${clients.length} clients, ${weeks} client-weeks of ServeGen's rates`;
      tables.push(rateTable(title, told, days / 7), pageTable(`${set}: each page after the first day`, told));
    }
    return { tables, plots: [] };
  },
};

interface Told {
  readonly finding: Finding;
  /** What the incident had cost when it was last told. */
  readonly finalNanoUsd: number;
  readonly client: string;
}

function toldOf(client: Client): Told[] {
  const run = { detectors, choices: {}, seriesMax: 10_000 };
  const findings = [...backtest(arrivalsOf(recordsOf(client)), run)];
  return opened(findings).map((finding) => ({
    finding,
    client: client.name,
    finalNanoUsd: findings.reduce(
      (most, each) => (sameIncident(each, finding) ? Math.max(most, each.impactNanoUsd) : most),
      0,
    ),
  }));
}

function sameIncident(one: Finding, two: Finding): boolean {
  return one.kind === two.kind && one.onsetMs === two.onsetMs && one.series.feature === two.series.feature;
}

function isFirstDay({ finding }: Told): boolean {
  return finding.onsetMs < startMs + dayMs;
}

function rateTable(title: string, told: readonly Told[], weeks: number): Table {
  const names = [...new Set(told.map(({ finding }) => nameOf(finding)))].sort();
  const rowOf = (name: string, of: readonly Told[]) =>
    row(name, of.filter(isFirstDay).length, of.filter((each) => !isFirstDay(each)).length, weeks);
  const rows = names.map((name) =>
    rowOf(
      name,
      told.filter(({ finding }) => nameOf(finding) === name),
    ),
  );
  for (const severity of ["page", "ticket"]) {
    const of = told.filter(({ finding }) => finding.severity === severity);
    for (const usd of severity === "page" ? magnitudes : [0]) {
      const name = usd === 0 ? `all: ${severity}` : `all: ${severity} of $${usd} or more in the end`;
      rows.push(
        rowOf(
          name,
          of.filter(({ finalNanoUsd }) => finalNanoUsd >= usd * 1e9),
        ),
      );
    }
  }
  return {
    title,
    columns: [
      { title: "finding" },
      { title: "first day", digits: 0 },
      { title: "later", digits: 0 },
      { title: "per series-week", digits: 3 },
      { title: "95 % interval" },
    ],
    rows,
    notes: [
      `Each client is a tenant of one feature and one model, thinned to ${weekCalls} calls a week; calls are drawn within their ten minutes, tokens from the published quantiles, priced as gpt-4o.`,
      "The rates are real and nobody knows what happened in them: a finding may be true. The first day has no yesterday and is counted apart.",
    ],
  };
}

function pageTable(title: string, told: readonly Told[]): Table {
  const pages = told.filter((each) => each.finding.severity === "page" && !isFirstDay(each));
  return {
    title,
    columns: [
      { title: "client" },
      { title: "kind" },
      { title: "scope" },
      { title: "test" },
      { title: "onset, day", digits: 2 },
      { title: "minutes to page", digits: 0 },
      { title: "times the usual", digits: 1 },
      { title: "times a call's cost", digits: 2 },
      { title: "$ then", digits: 2 },
      { title: "$ in the end", digits: 2 },
    ],
    rows: pages.map(({ finding, client, finalNanoUsd }) => {
      const { evidence } = finding;
      const costs = [evidence["nano_usd_per_call"], evidence["usual_nano_usd_per_call"]].map(Number);
      return [
        client,
        finding.kind,
        finding.series.feature === undefined ? "tenant" : "feature",
        [evidence["test"], evidence["window"]].filter((part) => part !== undefined).join(", "),
        (finding.onsetMs - startMs) / dayMs,
        (finding.atMs - finding.onsetMs) / 60_000,
        finding.expected > 0 ? finding.observed / finding.expected : null,
        (costs[1] ?? 0) > 0 ? (costs[0] ?? 0) / (costs[1] ?? 1) : null,
        finding.impactNanoUsd / 1e9,
        finalNanoUsd / 1e9,
      ];
    }),
    notes: [],
  };
}

function row(name: string, first: number, later: number, weeks: number): Cell[] {
  const [low, high] = poissonInterval(later);
  return [name, first, later, later / weeks, `${(low / weeks).toFixed(3)} to ${(high / weeks).toFixed(3)}`];
}

function nameOf({ severity, kind, series }: Finding): string {
  return `${severity} ${kind}${series.feature === undefined ? " (tenant)" : ""}`;
}

function readClients(file: string): Client[] {
  const [model = "", stretch = ""] = file.split("_");
  const rates = lines(`servegen_${model}_rate_${stretch}.csv.gz`);
  const tokens = lines(`servegen_${model}_tokens_${stretch}.csv.gz`);
  const lastMs = Math.ceil(Math.max(...rates.map(([, second]) => Number(second))) / 604_800) * weekMs;
  const byClient = new Map<string, Client>();
  const clientOf = (id: string) => {
    const known = byClient.get(id);
    if (known !== undefined) return known;
    const made = { name: `${model} ${id}`, lastMs, steps: [], input: new Map(), output: new Map() };
    byClient.set(id, made);
    return made;
  };
  for (const [id = "", second, rate] of rates) {
    const { steps } = clientOf(id) as { steps: { second: number; requests: number }[] };
    steps.push({ second: Number(second), requests: Number(rate) * stepSeconds });
  }
  for (const [id = "", second, kind, , , ...quantiles] of tokens) {
    const client = clientOf(id);
    const into = (kind === "in" ? client.input : client.output) as Map<number, readonly number[]>;
    into.set(Number(second) / tokenSeconds, quantiles.map(Number));
  }
  const isGuest = ({ steps }: Client) => steps.length < (stepsMin * lastMs) / weekMs;
  return [...byClient.values()].filter((client) => !isGuest(client) && client.input.size > 0);
}

function lines(file: string): string[][] {
  const text = gunzipSync(readFileSync(new URL(`data/${file}`, import.meta.url))).toString();
  const [header = "", ...rest] = text.trim().split("\n");
  if (header.startsWith("client,t,kind") && header.split(",").length - firstQuantileColumn !== shares.length) {
    throw new Error(`${file}: ${header.split(",").length - firstQuantileColumn} quantiles, expected ${shares.length}`);
  }
  return rest.map((line) => line.split(","));
}

function recordsOf({ name, lastMs, steps, input, output }: Client): UsageRecord[] {
  const random = randomOf(`week ${name}`);
  const total = steps.reduce((sum, { requests }) => sum + requests, 0);
  const share = Math.min(1, (weekCalls * lastMs) / weekMs / total);
  const records: UsageRecord[] = [];
  for (const { second, requests } of steps) {
    for (let left = poisson(requests * share, random); left > 0; left--) {
      const atMs = startMs + (second + random() * stepSeconds) * 1000;
      const bin = Math.floor(second / tokenSeconds);
      const inputTokens = drawn(input, bin, random());
      const outputTokens = drawn(output, bin, random());
      records.push(
        usageRecord(
          {
            tenant: name,
            feature: "chat",
            startUs: atMs * 1000,
            endUs: atMs * 1000,
            usage: { ...noUsage, input: inputTokens, output: outputTokens },
            costNanoUsd: inputTokens * 2500 + outputTokens * 10_000,
          },
          Math.floor(random() * 2 ** 32),
        ),
      );
    }
  }
  return records.sort((a, b) => a.endUs - b.endUs);
}

/** A value of the quantile grid of the step, or of the last one before it. */
function drawn(grids: ReadonlyMap<number, readonly number[]>, bin: number, share: number): number {
  let grid: readonly number[] | undefined;
  for (let at = bin; at >= 0 && grid === undefined; at--) grid = grids.get(at);
  grid ??= grids.values().next().value ?? [];
  const above = shares.findIndex((each) => each >= share * 100);
  const [from, to] = [shares[above - 1] ?? 0, shares[above] ?? 100];
  const part = to > from ? (share * 100 - from) / (to - from) : 1;
  const [low, high] = [grid[above - 1] ?? grid[0] ?? 0, grid[above] ?? 0];
  return Math.round(low + part * (high - low));
}

/** Knuth's for small means, a rounded normal for large ones. */
function poisson(mean: number, random: () => number): number {
  if (mean > 50) {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    return Math.max(0, Math.round(mean + normal * Math.sqrt(mean)));
  }
  let [count, product] = [0, random()];
  for (const limit = Math.exp(-mean); product > limit; product *= random()) count++;
  return count;
}
