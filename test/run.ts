/** `npm test [-- FILTER]`: format and lint, types, then every suite. Without a filter everything runs. */

import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { styleText } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const instrumentation = `${root}instrumentation`;
const checked = ["src", "detectors", "instrumentation", "test"];
const filters = process.argv.slice(2);

/** The instrumentation is a package of its own, with the SDKs it is tested against: installed for tests only. */
function instrumentationInstalled(): boolean {
  const note = `${instrumentation}/node_modules/.package-lock.json`;
  if (!existsSync(note)) return false;
  const packages = (file: string) =>
    (JSON.parse(readFileSync(file, "utf8")) as { packages: Record<string, { optional?: boolean }> }).packages;
  const have = packages(note);
  // Optional packages are builds for one platform each: most are never installed.
  return Object.entries(packages(`${instrumentation}/package-lock.json`)).every(
    ([path, { optional }]) => path === "" || path in have || optional === true,
  );
}

async function run(name: string, program: string, words: readonly string[], directory = root): Promise<void> {
  process.stdout.write(`${styleText("bold", name)}\n`);
  const code = await new Promise<number>((done) => {
    const child = spawn(program, words, { cwd: directory, stdio: "inherit" });
    child.on("exit", (status) => done(status ?? 1));
    child.on("error", () => done(1));
  });
  if (code === 0) return;
  process.stdout.write(`${name} failed\n`);
  process.exit(code);
}

const bin = (name: string) => `${root}node_modules/.bin/${name}`;
if (!instrumentationInstalled()) {
  await run(
    "installing the SDKs that the instrumentation is tested against, about 640 MB",
    "npm",
    [
      "install",
      "--no-workspaces",
      "--ignore-scripts",
      "--legacy-peer-deps",
      "--no-audit",
      "--no-fund",
      "--loglevel=error",
    ],
    instrumentation,
  );
}
if (filters.length === 0) {
  await run("format and lint", bin("biome"), ["check", "--config-path=.ci", "--diagnostic-level=warn", ...checked]);
  await run("types", bin("tsc"), ["--noEmit"]);
}
await run("suites", bin("vitest"), ["run", "--config", "test/vitest.config.ts", ...filters]);
