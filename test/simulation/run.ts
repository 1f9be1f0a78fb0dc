/** `npm run test:simulation`: the pipeline in virtual time, through what cannot be run. */

import { renderTable, tableOptions } from "../../src/console/table.ts";
import { commandLine } from "../support/command-line.ts";
import { type Played, play } from "./play.ts";
import { scenarios } from "./scenarios.ts";
import { VirtualTime } from "./virtual-time.ts";

const help = `usage: npm run test:simulation [-- [--seed N] [--seeds N] [--only NAME] [--scale N] [--short] [--json]]

Plays a cluster in virtual time: the real resolver, writer and logs over simulated brokers, table and clocks. Prints what
was lost, doubled or wrongly summed, and ends with 1 unless all of it is 0.

  --seed N   the first seed (1)
  --seeds N  how many in a row (1)
  --only P   a scenario, or the beginning of one: ${scenarios.map(({ name }) => name).join(", ")}
  --scale N  times the spans; 50 for a million tenants (1)
  --short    what npm test plays
  --json     one JSON document
`;

const { values } = commandLine(help, {
  seed: { type: "string", default: "1" },
  seeds: { type: "string", default: "1" },
  only: { type: "string", default: "" },
  scale: { type: "string", default: "1" },
  short: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
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
