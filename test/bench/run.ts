/** `npm run bench`: lists the benches and runs all of them, or those named, each in a process of its own. */

import { fork } from "node:child_process";
import { loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import { commandLine } from "../support/command-line.ts";
import type { Bench, BenchOptions, BenchResult } from "./bench.ts";
import { benches } from "./benches.ts";
import { printResult } from "./print.ts";
import { machine } from "./process-stats.ts";
import { keepResult, previousResult } from "./results.ts";

const self = fileURLToPath(import.meta.url);
const childVariable = "BURNWATCH_BENCH_CHILD";

const help = `usage: npm run bench -- [NAME ...] [--runs N] [--spans N] [--records N] [--stop-seconds N] [--json]

${benches.map(({ name, summary, onRequest }) => `  ${name.padEnd(12)} ${summary}${onRequest === true ? " (only when named)" : ""}`).join("\n")}

  --runs N     repetitions that medians are taken over (3)
  --spans N    spans of one load (200000)
  --records N  records in the store that is asked (1000000)
  --stop-seconds N  length of the stop that a cluster recovers from (600)
  --json       one JSON document instead of tables
`;

const { values, positionals } = commandLine(help, {
  runs: { type: "string", default: "3" },
  spans: { type: "string", default: "200000" },
  records: { type: "string", default: "1000000" },
  "stop-seconds": { type: "string", default: "600" },
  json: { type: "boolean", default: false },
});

const numbers = { runs: count("runs"), spans: count("spans"), records: count("records") };
const stopSeconds = count("stop-seconds");

if (process.env[childVariable] === undefined) await runChosen();
else await runHere(chosen()[0]);

async function runChosen(): Promise<void> {
  const named = chosen();
  if (positionals.length === 0 && !values.json) process.stdout.write(`${help}\n`);
  const results: BenchResult[] = [];
  for (const { name } of named) {
    const result = await runInChild(name);
    if (result === undefined) {
      process.stderr.write(`bench ${name} failed\n`);
      process.exitCode = 1;
      continue;
    }
    if (!values.json) process.stdout.write(`${printResult(result, previousResult(name))}\n`);
    keepResult(result);
    results.push(result);
  }
  if (values.json) process.stdout.write(`${JSON.stringify({ benches: results })}\n`);
}

function chosen(): readonly Bench[] {
  const unknown = positionals.filter((name) => !benches.some((bench) => bench.name === name));
  if (unknown.length > 0) fail(`no bench "${unknown[0]}"`);
  if (positionals.length === 0) return benches.filter(({ onRequest }) => onRequest !== true);
  return benches.filter(({ name }) => positionals.includes(name));
}

/** A process each: an engine, a patched fetch or a big heap of one bench must not show in the next. */
function runInChild(name: string): Promise<BenchResult | undefined> {
  const words = Object.entries({ ...numbers, "stop-seconds": stopSeconds }).flatMap(([option, value]) => [
    `--${option}`,
    String(value),
  ]);
  const child = fork(self, [name, ...words], { env: { ...process.env, [childVariable]: "1" } });
  let result: BenchResult | undefined;
  child.on("message", (message) => {
    result = message as BenchResult;
  });
  return new Promise((done) => child.on("exit", (code) => done(code === 0 ? result : undefined)));
}

async function runHere(bench: Bench | undefined): Promise<void> {
  if (bench === undefined) return;
  // Without its parent nobody takes the result.
  process.on("disconnect", () => process.exit(1));
  const progress = (line: string) => void process.stderr.write(`${bench.name}: ${line}\n`);
  const options: BenchOptions = { ...numbers, stopSeconds, progress };
  const about = { name: bench.name, machine: machine(), loadBefore: loadavg()[0] ?? 0 };
  const tables = await bench.run(options);
  const result: BenchResult = { ...about, at: new Date().toISOString(), tables };
  await new Promise<void>((sent) => process.send?.(result, undefined, undefined, () => sent()));
  // The engine's threads and idle connections must not keep a finished bench alive.
  process.exit(0);
}

function count(option: "runs" | "spans" | "records" | "stop-seconds"): number {
  const number = Number(values[option]);
  if (!Number.isInteger(number) || number < 1) fail(`--${option} takes a whole number from 1, not "${values[option]}"`);
  return number;
}

function fail(message: string): never {
  process.stderr.write(`bench: ${message}\n\n${help}`);
  process.exit(2);
}
