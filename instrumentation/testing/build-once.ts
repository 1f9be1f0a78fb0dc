/** Builds the package for tests that load it as an application does: once, whatever number of suites ask. */

import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, rmdirSync, statSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const lock = join(root, "dist.lock");
const waitMs = 100;
const waitsMax = 600;

/** Returns when `dist/` is newer than every source. Suites in other processes wait for the one that builds. */
export function buildOnce(): void {
  for (let waits = 0; !taken(); waits += 1) {
    // A lock that outlives a minute was left by a killed run.
    if (waits >= waitsMax) rmdirSync(lock);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, waitMs);
  }
  try {
    if (builtAt() < newestSource()) execFileSync(process.execPath, [join(root, "build.ts")], { stdio: "inherit" });
  } finally {
    rmdirSync(lock);
  }
}

function taken(): boolean {
  try {
    mkdirSync(lock);
    return true;
  } catch {
    return false;
  }
}

function builtAt(): number {
  return Math.min(...["esm", "cjs"].map((folder) => modifiedMs(join(root, "dist", folder, "package.json"))));
}

function newestSource(): number {
  const folders = [".", "clients", "delivery", "intercept"];
  const sources = folders.flatMap((folder) => readdirSync(join(root, folder)).map((name) => join(root, folder, name)));
  const published = sources.filter((path) => /\.(ts|json)$/.test(path) && !path.endsWith(".test.ts"));
  return Math.max(...published.map(modifiedMs));
}

function modifiedMs(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
