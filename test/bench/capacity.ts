/**
 * A model of what a cluster takes: the CPU of each part, fitted to measured loads of several sizes, and what it comes to
 * for rates that were not measured. Writes `deploy/capacity.json`; `node test/bench/write-capacity.ts` makes
 * `deploy/CAPACITY.md` of it.
 */

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import { kafkajsClient } from "../../src/event-log/kafkajs-client.ts";
import { kafkaMissing, startBroker } from "../support/kafka-broker.ts";
import type { Bench, BenchOptions, Cell } from "./bench.ts";
import { type Load, measureRound } from "./cluster-parts.ts";
import { machine } from "./process-stats.ts";
import { median } from "./statistics.ts";

/** CPU of one load in one part. */
export interface Measured extends Load {
  readonly stage: string;
  readonly cpuUs: number;
  readonly seconds: number;
}

/** CPU = spans * `perSpanUs` + requests * `perRequestUs`. */
export interface Fit {
  readonly stage: string;
  readonly perSpanUs: number;
  readonly perRequestUs: number;
  /** Of each load, in its order: measured over fitted, minus one. */
  readonly residuals: readonly number[];
}

export interface CapacityResults {
  readonly at: string;
  readonly machine: string;
  readonly loadBefore: number;
  readonly loadAfter: number;
  /** What was measured, with "+" where files were changed since; missing in results from before it was kept. */
  readonly commit?: string;
  readonly measured: readonly Measured[];
}

export const capacityResults = fileURLToPath(new URL("../../deploy/capacity.json", import.meta.url));

const loads: readonly Load[] = [
  { bodies: 400, spansPerBody: 20 },
  { bodies: 200, spansPerBody: 100 },
  { bodies: 80, spansPerBody: 500 },
  { bodies: 40, spansPerBody: 1500 },
];

export const capacity: Bench = {
  name: "capacity",
  summary: "CPU of a cluster's parts over exports of several sizes, fitted; the source of deploy/CAPACITY.md",
  onRequest: true,
  async run({ runs, progress }: BenchOptions) {
    const missing = await kafkaMissing();
    if (missing !== undefined) return [];
    const loadBefore = loadavg()[0] ?? 0;
    const measured = await measureAll(runs, progress);
    const results = {
      at: new Date().toISOString(),
      machine: machine(),
      loadBefore,
      loadAfter: loadavg()[0] ?? 0,
      commit: commitOfTree(),
      measured,
    };
    writeFileSync(capacityResults, `${JSON.stringify(results, undefined, 1)}\n`);
    const rows = fitsOf(measured).map(({ stage, perSpanUs, perRequestUs, residuals }): Cell[] => {
      const worst = 100 * Math.max(...residuals.map(Math.abs));
      return [stage, perSpanUs, perRequestUs, worst];
    });
    return [
      {
        title: `CPU fitted to exports of ${loads.map(({ spansPerBody }) => spansPerBody).join(", ")} spans`,
        columns: [
          { title: "part" },
          { title: "us a span", digits: 2 },
          { title: "us a request", digits: 0 },
          { title: "largest residual, %", digits: 0 },
        ],
        rows,
        notes: [
          `Of commit ${results.commit}. Kept in deploy/capacity.json; node test/bench/write-capacity.ts makes deploy/CAPACITY.md of it.`,
        ],
      },
    ];
  },
};

/** The commit of this tree, short; "unknown" outside of a clone. */
function commitOfTree(): string {
  const git = (...words: readonly string[]) => execFileSync("git", [...words], { cwd: import.meta.dirname }).toString();
  try {
    const isChanged = git("status", "--porcelain", "--untracked-files=no").trim() !== "";
    return `${git("rev-parse", "--short", "HEAD").trim()}${isChanged ? "+" : ""}`;
  } catch {
    return "unknown";
  }
}

async function measureAll(runs: number, progress: (line: string) => void): Promise<Measured[]> {
  const broker = await startBroker();
  const client = kafkajsClient({ brokers: [broker.address], clientId: "burnwatch-bench" });
  try {
    const costs = new Map<string, { load: Load; stage: string; cpuUs: number[]; seconds: number[] }>();
    // The first round warms up.
    for (let round = 0; round <= runs; round++)
      for (const load of loads) {
        progress(`exports of ${load.spansPerBody} spans, round ${round} of ${runs}`);
        const prefix = `capacity-${process.pid}-${round}-${load.spansPerBody}`;
        for (const [stage, { cpuUs, seconds }] of (await measureRound(client, prefix, load)).costs) {
          const key = `${stage} ${load.spansPerBody}`;
          const known = costs.get(key) ?? { load, stage, cpuUs: [], seconds: [] };
          costs.set(key, known);
          if (round === 0) continue;
          known.cpuUs.push(cpuUs);
          known.seconds.push(seconds);
        }
      }
    return Array.from(costs.values(), ({ load, stage, cpuUs, seconds }) => ({
      stage,
      ...load,
      cpuUs: median(cpuUs),
      seconds: median(seconds),
    }));
  } finally {
    await client.close();
    await broker.stop();
  }
}

/** Least squares of relative errors, so that small loads count as much as large ones; no coefficient below 0. */
export function fitsOf(measured: readonly Measured[]): readonly Fit[] {
  return Array.from(
    Map.groupBy(measured, ({ stage }) => stage),
    ([stage, of]) => {
      let [xx, xy, yy, x1, y1] = [0, 0, 0, 0, 0];
      for (const { bodies, spansPerBody, cpuUs } of of) {
        const [x, y] = [(bodies * spansPerBody) / cpuUs, bodies / cpuUs];
        xx += x * x;
        xy += x * y;
        yy += y * y;
        x1 += x;
        y1 += y;
      }
      const determinant = xx * yy - xy * xy;
      let [perSpanUs, perRequestUs] = [(x1 * yy - y1 * xy) / determinant, (y1 * xx - x1 * xy) / determinant];
      if (perRequestUs < 0) [perSpanUs, perRequestUs] = [x1 / xx, 0];
      else if (perSpanUs < 0) [perSpanUs, perRequestUs] = [0, y1 / yy];
      const fitted = ({ bodies, spansPerBody }: Load) => bodies * (spansPerBody * perSpanUs + perRequestUs);
      return { stage, perSpanUs, perRequestUs, residuals: of.map((one) => one.cpuUs / fitted(one) - 1) };
    },
  );
}
