/** `npm run eval`: runs the evaluations, or those named; prints their tables and keeps them, with plots, under results/. */

import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Progress } from "../../src/replay/progress.ts";
import { commandLine } from "../support/command-line.ts";
import type { EvalOptions } from "./eval.ts";
import { evaluations } from "./evaluations.ts";
import { markdownTable } from "./markdown.ts";

const results = fileURLToPath(new URL("results/", import.meta.url));
const steps = 1000;

const help = `usage: npm run eval [-- [NAME ...] [--quick | --large] [--keep]]

${evaluations.map(({ name, summary }) => `  ${name.padEnd(12)} ${summary}`).join("\n")}

  --quick  a look: fewer records and runs
  --large  a night: more of both
  --keep   write tables and plots to test/eval/results, which the README of detectors/ shows
`;

const { values, positionals } = commandLine(help, {
  quick: { type: "boolean", default: false },
  large: { type: "boolean", default: false },
  keep: { type: "boolean", default: false },
});

const unknown = positionals.find((name) => !evaluations.some((each) => each.name === name));
if (unknown !== undefined) {
  process.stderr.write(`eval: no evaluation "${unknown}"\n\n${help}`);
  process.exitCode = 2;
} else await runAll();

async function runAll(): Promise<void> {
  const size: EvalOptions["size"] = values.large ? "large" : values.quick ? "quick" : "usual";
  const chosen = evaluations.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  for (const { name, run } of chosen) {
    const startedMs = Date.now();
    const bar = new Progress({
      stream: process.stderr,
      label: name,
      unit: "steps",
      total: steps,
      silent: false,
      now: Date.now,
    });
    bar.start();
    let done = 0;
    const progress = (share: number) => {
      const reached = Math.floor(share * steps);
      if (reached <= done) return;
      bar.add(reached - done);
      done = reached;
    };
    const { tables, plots } = await run({ size, progress });
    bar.add(steps - done);
    bar.stop();
    const seconds = Math.round((Date.now() - startedMs) / 1000);
    const text = [...tables.map(markdownTable), `${size} size, ${seconds} s.`, ""].join("\n");
    process.stdout.write(`\n## ${name}\n\n${text}`);
    if (!values.keep) continue;
    mkdirSync(results, { recursive: true });
    writeFileSync(`${results}${name}.md`, text);
    for (const plot of plots) writeFileSync(`${results}${plot.name}.svg`, plot.svg);
  }
}
