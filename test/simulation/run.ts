/**
 * `npm run test:simulation -- [--seed N] [--seeds N] [--only NAME] [--scale N] [--short] [--json]`: the pipeline in virtual time
 * through what cannot be run: its tables of what was lost, doubled or wrongly summed. Ends with 1 unless all of it is 0.
 * `--seeds` plays so many seeds in a row; `--scale` multiplies the spans (50 for a million tenants).
 */

import { parseArgs } from "node:util";
import { renderTable, tableOptions } from "../../src/console/table.ts";
import { type Played, play } from "./play.ts";
import { scenarios } from "./scenarios.ts";
import { VirtualTime } from "./virtual-time.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    seeds: { type: "string", default: "1" },
    only: { type: "string", default: "" },
    scale: { type: "string", default: "1" },
    short: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});

const realNow = performance.now.bind(performance);
const startedAt = realNow();
const [firstSeed, seeds, scale] = [Number(values.seed), Number(values.seeds), Number(values.scale)];
const time = VirtualTime.install(Date.UTC(2026, 5, 1, 12));
const played: Played[] = [];
const failures: string[] = [];
const wanted = scenarios.filter(({ name, short }) => name.startsWith(values.only) && (short === true || !values.short));
for (const scenario of wanted)
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
    const began = realNow();
    try {
      played.push(await play(scenario, time, { seed, scale }));
    } catch (error) {
      failures.push(`${scenario.name}, seed ${seed}: ${(error as Error).stack}`);
    }
    process.stderr.write(`${scenario.name}, seed ${seed}: ${((realNow() - began) / 1000).toFixed(1)} s\n`);
  }
const seconds = (realNow() - startedAt) / 1000;

if (values.json) process.stdout.write(`${JSON.stringify({ seconds, played, failures })}\n`);
else {
  const names = [...new Set(played.map(({ name }) => name))];
  const rows = names.map((name) => {
    const of = played.filter((one) => one.name === name);
    const sum = (key: "acked" | "lost" | "doubled" | "wrong" | "rollups" | "deaths" | "hours") =>
      of.reduce((total, one) => total + one[key], 0);
    const counts = (["acked", "deaths", "lost", "doubled", "wrong", "rollups"] as const).map((key) => String(sum(key)));
    return [name, String(of.length), sum("hours").toFixed(1), ...counts];
  });
  const titles = [
    "seeds",
    "hours simulated",
    "acknowledged",
    "deaths",
    "lost",
    "doubled",
    "wrong",
    "rollup differences",
  ];
  const columns = [{ title: "scenario" }, ...titles.map((title) => ({ title, align: "right" as const }))];
  process.stdout.write(renderTable(columns, rows, tableOptions(process.stdout, process.env)));
  const heap = Math.round(process.memoryUsage.rss() / 1e6);
  process.stdout.write(
    `seeds ${firstSeed} to ${firstSeed + seeds - 1}, ${seconds.toFixed(1)} s, ${heap} MB at the end\n`,
  );
}
const faults = played.flatMap(({ name, seed, faults: of }) => of.map((fault) => `${name}, seed ${seed}: ${fault}`));
for (const line of [...faults, ...failures]) process.stdout.write(`fault: ${line}\n`);
const differences = played.some(({ lost, doubled, wrong, rollups }) => lost + doubled + wrong + rollups > 0);
process.exit(faults.length + failures.length > 0 || differences ? 1 : 0);
