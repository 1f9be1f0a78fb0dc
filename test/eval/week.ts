/** The second null suite at length: a week of real request rates, client by client, in which nothing is known to be wrong. */

import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { detectors } from "../../detectors/detectors.ts";
import { usageRecord } from "../../detectors/observation-samples.ts";
import { arrivalsOf, backtest, opened } from "../../src/detection/backtest.ts";
import type { Finding } from "../../src/model/finding.ts";
import { noUsage } from "../../src/model/usage.ts";
import type { UsageRecord } from "../../src/model/usage-record.ts";
import type { Cell } from "../bench/bench.ts";
import type { Evaluation } from "./eval.ts";
import { weekSizes } from "./protocol.ts";
import { poissonInterval } from "./run-length.ts";
import { randomOf } from "./samples.ts";

interface Client {
  readonly name: string;
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
/** A client's requests are thinned to so many a week, which keeps its season and its bursts. */
const callsPerWeek = 30_000;
const firstQuantileColumn = 5;
const shares = [
  0, 1, 2.5, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85, 90, 92.5, 95, 97.5, 99, 99.5, 99.9, 100,
];

export const week: Evaluation = {
  name: "week",
  summary: "findings in a week of real request rates, in which nothing is known to be wrong",
  async run({ size, progress }) {
    const clients = [...readClients("small"), ...readClients("large")].slice(0, weekSizes[size]);
    const counts = new Map<string, number>();
    const firstDay = new Map<string, number>();
    for (const [index, client] of clients.entries()) {
      progress(index / clients.length, client.name);
      await new Promise((resolve) => setImmediate(resolve));
      const records = recordsOf(client);
      const run = { detectors, choices: {}, seriesMax: 10_000 };
      for (const finding of opened([...backtest(arrivalsOf(records), run)])) {
        const into = finding.onsetMs < startMs + 86_400_000 ? firstDay : counts;
        into.set(nameOf(finding), (into.get(nameOf(finding)) ?? 0) + 1);
      }
    }
    const names = [...new Set([...counts.keys(), ...firstDay.keys()])].sort();
    const rows = names.map((name) => row(name, firstDay.get(name) ?? 0, counts.get(name) ?? 0, clients.length));
    for (const severity of ["page", "ticket"]) {
      const sum = (from: ReadonlyMap<string, number>) =>
        [...from].reduce((total, [name, count]) => total + (name.startsWith(severity) ? count : 0), 0);
      rows.push(row(`all: ${severity}`, sum(firstDay), sum(counts), clients.length));
    }
    return {
      tables: [
        {
          title: `findings over ${clients.length} client-weeks of ServeGen's rates`,
          columns: [
            { title: "finding" },
            { title: "first day", digits: 0 },
            { title: "days 2 to 7", digits: 0 },
            { title: "per series-week", digits: 3 },
            { title: "95 % interval" },
          ],
          rows,
          notes: [
            `Each client is a tenant of one feature and one model, thinned to ${callsPerWeek} calls a week; calls are drawn within their ten minutes, tokens from the published quantiles, priced as gpt-4o.`,
            "The rates are real and nobody knows what happened in them: a finding may be true. The first day has no yesterday and is counted apart.",
          ],
        },
      ],
      plots: [],
    };
  },
};

function row(name: string, first: number, later: number, weeks: number): Cell[] {
  const [low, high] = poissonInterval(later);
  const share = 7 / 6 / weeks;
  return [name, first, later, later * share, `${(low * share).toFixed(3)} to ${(high * share).toFixed(3)}`];
}

function nameOf({ severity, kind, series }: Finding): string {
  return `${severity} ${kind}${series.feature === undefined ? " (tenant)" : ""}`;
}

function readClients(model: "small" | "large"): Client[] {
  const rates = lines(`servegen_m-${model}_rate_week1.csv.gz`);
  const tokens = lines(`servegen_m-${model}_tokens_week1.csv.gz`);
  const byClient = new Map<string, Client>();
  const clientOf = (id: string) => {
    const known = byClient.get(id);
    if (known !== undefined) return known;
    const made = { name: `${model}-${id}`, steps: [], input: new Map(), output: new Map() };
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
  return [...byClient.values()].filter(({ steps, input }) => steps.length >= stepsMin && input.size > 0);
}

function lines(file: string): string[][] {
  const text = gunzipSync(readFileSync(new URL(`data/${file}`, import.meta.url))).toString();
  const [header = "", ...rest] = text.trim().split("\n");
  if (header.startsWith("client,t,kind") && header.split(",").length - firstQuantileColumn !== shares.length) {
    throw new Error(`${file}: ${header.split(",").length - firstQuantileColumn} quantiles, expected ${shares.length}`);
  }
  return rest.map((line) => line.split(","));
}

function recordsOf({ name, steps, input, output }: Client): UsageRecord[] {
  const random = randomOf(`week ${name}`);
  const total = steps.reduce((sum, { requests }) => sum + requests, 0);
  const share = Math.min(1, callsPerWeek / total);
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
