/** The server under measurement: `burnwatch serve` in its own process and directory, detection on, everything by default. */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { nodeFlags, threadPoolSize } from "../../src/runtime.mjs";
import { freePort, settle } from "../support/burnwatch.ts";
import { clockUs } from "./process-stats.ts";

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const readyWithinMs = 120_000;

export interface ServerOptions {
  /** A directory to keep; without one the server gets a new one that is deleted with it. */
  readonly directory?: string;
  readonly nodeFlags?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** All its threads on the first core, by `taskset` (Linux). */
  readonly oneCore?: boolean;
}

export interface ServerProcess {
  readonly pid: number;
  readonly apiUrl: string;
  readonly tracesUrl: string;
  /** Of OTLP/gRPC. */
  readonly grpcUrl: string;
  /** From spawn to the first 200 of /readyz, asked every 10 ms. */
  readonly readyMs: number;
  /**
   * Resolves when everything acknowledged is stored and judged.
   * @throws Error with what the server says of itself when that does not happen.
   */
  settle(): Promise<void>;
  /** SIGTERM; resolves when it is gone and, where it was temporary, its directory too. */
  stop(): Promise<void>;
}

export async function startServerProcess(options: ServerOptions = {}): Promise<ServerProcess> {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), "burnwatch-bench-"));
  const [api, otlp, grpc] = [await freePort(), await freePort(), await freePort()];
  const flags = [...nodeFlags, ...(options.nodeFlags ?? [])];
  const spawnedUs = clockUs();
  const command = [process.execPath, ...flags, main, "serve", "--data", directory];
  const [program = "", ...words] = options.oneCore === true ? ["taskset", "--cpu-list", "0", ...command] : command;
  const child = spawn(program, words, {
    stdio: ["ignore", "ignore", "pipe"],
    env: {
      ...process.env,
      UV_THREADPOOL_SIZE: threadPoolSize,
      BURNWATCH_LOG_LEVEL: "warn",
      BURNWATCH_CLICKHOUSE_HTTP: "off",
      BURNWATCH_API: `127.0.0.1:${api}`,
      BURNWATCH_OTLP_HTTP: `127.0.0.1:${otlp}`,
      BURNWATCH_OTLP_GRPC: `127.0.0.1:${grpc}`,
      ...options.environment,
    },
  });
  let complaints = "";
  child.stderr.on("data", (data) => {
    complaints = `${complaints}${data}`.slice(-2000);
  });
  // A bench that dies leaves no server behind.
  const end = () => {
    child.kill("SIGKILL");
    if (options.directory === undefined) rmSync(directory, { recursive: true, force: true });
  };
  process.once("exit", end);
  const apiUrl = `http://127.0.0.1:${api}`;
  await untilReady(apiUrl, child, () => complaints);
  return {
    pid: child.pid ?? 0,
    apiUrl,
    tracesUrl: `http://127.0.0.1:${otlp}/v1/traces`,
    grpcUrl: `http://127.0.0.1:${grpc}`,
    readyMs: (clockUs() - spawnedUs) / 1000,
    async settle() {
      await settle(apiUrl).catch(async (error: Error) => {
        const status = await (await fetch(`${apiUrl}/api/v1/status`)).text().catch(String);
        throw new Error(`${error.message}; status ${status}; log ${complaints}`);
      });
    },
    async stop() {
      const code = await stopChild(child);
      end();
      process.off("exit", end);
      if (code !== 0) throw new Error(`the server ended with ${code}: ${complaints}`);
    },
  };
}

async function untilReady(apiUrl: string, child: ChildProcess, complaints: () => string): Promise<void> {
  const deadline = Date.now() + readyWithinMs;
  while (Date.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`the server ended with code ${child.exitCode}: ${complaints()}`);
    const answer = await fetch(`${apiUrl}/readyz`).catch(() => undefined);
    if (answer?.ok === true) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  child.kill("SIGKILL");
  throw new Error(`the server was not ready within ${readyWithinMs / 1000} s: ${complaints()}`);
}

/** @returns its exit code, or the signal that ended it. */
async function stopChild(child: ChildProcess): Promise<number | string | null> {
  if (child.exitCode === null && child.signalCode === null) {
    const gone = new Promise((done) => child.once("exit", done));
    child.kill("SIGTERM");
    await gone;
  }
  return child.exitCode ?? child.signalCode;
}

/** The event loop's longest delay and longest turn since they were asked last, in milliseconds. */
export async function longestDelaysMs(apiUrl: string): Promise<{ readonly lag: number; readonly turn: number }> {
  const text = await (await fetch(`${apiUrl}/metrics`)).text();
  const seconds = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
  return {
    lag: seconds("nodejs_eventloop_lag_max_seconds") * 1000,
    turn: seconds("burnwatch_turn_cpu_max_seconds") * 1000,
  };
}
