/** `npm run test:upgrade`: a cluster of an older version becomes one of this version and back, process by process. */

import { renderTable, tableOptions } from "../../src/console/table.ts";
import { commandLine } from "../support/command-line.ts";
import { kafkaMissing } from "../support/kafka-broker.ts";
import { layOut } from "./old-version.ts";
import { type PassRow, replaceAll } from "./rolling.ts";

const help = `usage: npm run test:upgrade [-- [--from REF] [--seed N]]

Starts two processes of each role of an older version over a real Kafka broker and ClickHouse, and replaces them one by one
by this version, by the older one, and by this one again, under load with the sizes of the real traces. Prints what was
lost, doubled or wrongly summed, which incidents were not told or told twice, and what detectors would have told that were
never replaced; ends with 1 unless all of it is 0. A version that meets entries of a newer one waits for it: that is said.

  --from REF   commit or tag of the older version (the newest tag, else the first version whose cluster had this shape)
  --seed N     of everything that is random (a random one)

examples:
  npm run test:upgrade
  npm run test:upgrade -- --from v0.1.0 --seed 1
`;

const { values } = commandLine(help, {
  from: { type: "string" },
  seed: { type: "string", default: String(Math.floor(Math.random() * 1e6)) },
});
const seed = Number(values.seed);
const startedAt = performance.now();
const seconds = () => Math.round((performance.now() - startedAt) / 1000);

function progress(text: string): void {
  const line = `upgrade: ${seconds()} s: ${text}`;
  process.stderr.write(process.stderr.isTTY ? `\r${line}\u001b[K` : `${line}\n`);
}

const measures = ["replaced", "lost", "doubled", "wrong", "rollups", "untold", "toldTwice"] as const;
const titles = ["replaced", "lost", "doubled", "wrong", "rollup differences", "not told", "told twice"];

function cellsOf(row: PassRow): string[] {
  return [row.pass, ...measures.map((of) => String(row[of])), row.waited ? "waits for the newer" : ""];
}

async function main(): Promise<boolean> {
  if ((await kafkaMissing()) !== undefined) return true;
  const old = await layOut(values.from);
  if ("missing" in old) {
    process.stderr.write(`skipped: ${old.missing}\n`);
    return true;
  }
  try {
    const { rows, acked, alerts, differences, faults } = await replaceAll({ seed, old: old.main, progress });
    const numbers = titles.map((title) => ({ title, align: "right" as const }));
    const columns = [{ title: "pass" }, ...numbers, { title: "" }];
    process.stdout.write(renderTable(columns, rows.map(cellsOf), tableOptions(process.stdout, process.env)));
    process.stdout.write(
      `from ${old.commit}, seed ${seed}: ${acked} spans acknowledged and ${alerts} alerts told in ${seconds()} s; different from detectors that were never replaced: ${differences.deltas} sums, ${differences.claims} claims, ${differences.alerts} alerts\n${faults.map((fault) => `fault: ${fault}\n`).join("")}`,
    );
    return faults.length === 0;
  } finally {
    old.remove();
  }
}

process.exit((await main()) ? 0 : 1);
