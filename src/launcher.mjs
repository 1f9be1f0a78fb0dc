#!/usr/bin/env node
/**
 * Starts Burnwatch on any machine with Node 18 or newer: installs what is missing, then hands over to a Node that is new
 * enough (the machine's own, or the one among the project's packages). Plain JavaScript, so that an old Node can read it.
 *
 *   launcher.mjs COMMAND ...          runs the burnwatch command line
 *   launcher.mjs --exec FILE ...      runs a TypeScript file of the project with the same Node (tests, benchmarks)
 */

import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { nodeFlags, startAgainCode, threadPoolSize } from "./runtime.mjs";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const modules = join(root, "node_modules");
const lowestNode = [22, 22];
/** Rough sizes of a complete installation, for the progress line: the ClickHouse engine alone is 543 MB. */
const expectedMegabytes = { run: 840, develop: 1100 };

/** A server that fails sooner than this would fail again. */
const startAgainAfterMs = 10_000;

const [first, ...rest] = process.argv.slice(2);
const executing = first === "--exec";
const developing = executing;

if (!installed(developing)) await install(developing);
await handOver();

function installed(withDevelopment) {
  const needed = ["@clickhouse/client", "lmdb", ...(withDevelopment ? ["vitest", "typescript"] : [])];
  return (
    needed.every((name) => existsSync(join(modules, name, "package.json"))) && ownNode() !== null && lockIsInstalled()
  );
}

/** npm notes in node_modules what it installed; a newer lock than that note means that a pull brought new packages. */
function lockIsInstalled() {
  const note = join(modules, ".package-lock.json");
  const lock = join(root, "package-lock.json");
  if (!existsSync(note)) return false;
  if (!existsSync(lock)) return true;
  const wanted = JSON.parse(readFileSync(lock, "utf8")).packages ?? {};
  const have = JSON.parse(readFileSync(note, "utf8")).packages ?? {};
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === "" || entry.dev || entry.optional || entry.devOptional || entry.peer || entry.link) return true;
    return have[path]?.version === entry.version;
  });
}

async function install(withDevelopment) {
  const total = withDevelopment ? expectedMegabytes.develop : expectedMegabytes.run;
  process.stderr.write(
    `burnwatch: first start: installing packages, about ${total} MB on disk (the ClickHouse engine is 543 of them)\n`,
  );
  const onTerminal = process.stderr.isTTY === true;
  const startedAt = Date.now();
  const timer = setInterval(
    () => {
      const megabytes = Math.round(sizeOf(modules) / 1e6);
      const line = `burnwatch: ${megabytes} of about ${total} MB, ${Math.round((Date.now() - startedAt) / 1000)} s`;
      process.stderr.write(onTerminal ? `\r${line}\u001b[K` : `${line}\n`);
    },
    onTerminal ? 1000 : 5000,
  );
  const npmArguments = ["install", "--no-audit", "--no-fund", "--no-save", "--loglevel=error"];
  if (!withDevelopment) npmArguments.push("--omit=dev");
  const windows = process.platform === "win32";
  const code = await run(windows ? "npm.cmd" : "npm", npmArguments, {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
    shell: windows,
  });
  clearInterval(timer);
  if (onTerminal) process.stderr.write("\r\u001b[K");
  if (code !== 0) {
    process.stderr.write(
      `burnwatch: "npm ${npmArguments.join(" ")}" failed (exit code ${code}): see above, then start again\n`,
    );
    process.exit(1);
  }
  process.stderr.write(
    `burnwatch: installed ${Math.round(sizeOf(modules) / 1e6)} MB in ${Math.round((Date.now() - startedAt) / 1000)} s\n`,
  );
}

/** Bytes of all files below a folder; files that vanish meanwhile count nothing. */
function sizeOf(folder) {
  let bytes = 0;
  const folders = [folder];
  for (let next = folders.pop(); next !== undefined; next = folders.pop()) {
    let entries = [];
    try {
      entries = readdirSync(next, { withFileTypes: true });
    } catch {
      continue;
    }
    for (const entry of entries) {
      const path = join(next, entry.name);
      if (entry.isDirectory()) folders.push(path);
      else if (entry.isFile()) {
        try {
          bytes += statSync(path).size;
        } catch {
          // It was moved while we looked; the next look will find it.
        }
      }
    }
  }
  return bytes;
}

/** Path of a Node that can run TypeScript and the libraries: this one, or the packaged one. */
function ownNode() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > lowestNode[0] || (major === lowestNode[0] && minor >= lowestNode[1])) return process.execPath;
  const packaged = join(modules, `node-${process.platform}-${process.arch}`, "bin", "node");
  return existsSync(packaged) ? packaged : null;
}

async function handOver() {
  const node = ownNode();
  if (node === null) {
    process.stderr.write(
      `burnwatch: needs Node ${lowestNode.join(".")} or newer on ${process.platform}-${process.arch}; this is ${process.versions.node}. Install a newer Node and start again\n`,
    );
    process.exit(1);
  }
  const script = executing ? resolve(root, rest[0] ?? "") : join(root, "src", "main.ts");
  const argv = executing ? rest.slice(1) : [first, ...rest].filter((word) => word !== undefined);
  const environment = {
    ...process.env,
    PATH: `${dirname(node)}${process.platform === "win32" ? ";" : ":"}${process.env.PATH ?? ""}`,
    UV_THREADPOOL_SIZE: process.env.UV_THREADPOOL_SIZE ?? threadPoolSize,
  };
  const words = [...nodeFlags, script, ...argv];
  for (;;) {
    const startedAt = Date.now();
    const code = await run(node, words, { stdio: "inherit", env: environment });
    if (code !== startAgainCode) process.exit(code);
    if (Date.now() - startedAt < startAgainAfterMs) {
      process.stderr.write("burnwatch: the server failed soon after its start: see above; it is not started again\n");
      process.exit(code);
    }
    process.stderr.write("burnwatch: the server is started again\n");
  }
}

/** Runs a child to its end, passing signals on. @returns its exit code, 128 + signal when one ended it. */
function run(command, argv, options) {
  return new Promise((done) => {
    const child = spawn(command, argv, options);
    const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
    // A terminal sends ^C to the whole group: passing it on would make it two.
    const forward = (signal) => {
      if (signal !== "SIGINT" || process.stdin.isTTY !== true) child.kill(signal);
    };
    for (const signal of signals) process.on(signal, forward);
    child.on("error", (error) => {
      process.stderr.write(`burnwatch: cannot start ${command}: ${error.message}\n`);
      done(1);
    });
    child.on("exit", (code, signal) => {
      for (const name of signals) process.off(name, forward);
      const numbers = createRequire(import.meta.url)("node:os").constants.signals;
      done(code ?? 128 + (numbers[signal] ?? 1));
    });
  });
}
