/** `npm test`: format and lint, types, then every suite. One line at the end counts what passed. */

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { styleText } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const checked = ["src", "detectors", "instrumentation", "test"];

const steps: readonly (readonly [name: string, program: string, ...words: string[]])[] = [
  ["format and lint", "biome", "check", "--config-path=.ci", ...checked],
  ["types", "tsc", "--noEmit"],
  ["suites", "vitest", "run", "--config", "test/vitest.config.ts", ...process.argv.slice(2)],
];

for (const [name, program, ...words] of steps) {
  process.stdout.write(`${styleText("bold", name)}\n`);
  const code = await new Promise<number>((done) => {
    const child = spawn(`${root}node_modules/.bin/${program}`, words, { cwd: root, stdio: "inherit" });
    child.on("exit", (status) => done(status ?? 1));
    child.on("error", () => done(1));
  });
  if (code !== 0) {
    process.stdout.write(`${name} failed\n`);
    process.exit(code);
  }
}
