/** A real Burnwatch in its own process and directory, as a user runs it, for tests that may kill it. */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { nodeFlags, threadPoolSize } from "../../src/runtime.mjs";

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

export interface Burnwatch {
  readonly directory: string;
  readonly apiUrl: string;
  readonly otlpUrl: string;
  readonly tracesUrl: string;
  /** Of OTLP/gRPC. */
  readonly grpcUrl: string;
  /** Everything the process wrote so far. */
  output(): string;
  /** Starts the process again on the same directory and ports, of another version where its `main` is named. */
  start(version?: string): Promise<void>;
  /** SIGTERM; resolves with the exit code once it is gone. */
  stop(): Promise<number | null>;
  /** kill -9; resolves once it is gone. */
  kill(): Promise<void>;
  /** Stops the process and deletes the directory. */
  remove(): Promise<void>;
}

export interface BurnwatchOptions {
  readonly words?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** The `main.ts` of another version. */
  readonly version?: string;
}

const readyWithinMs = 60_000;

/** Starts a server on free loopback ports; resolves when it is ready. */
export async function startBurnwatch(options: BurnwatchOptions = {}): Promise<Burnwatch> {
  const directory = mkdtempSync(join(tmpdir(), "burnwatch-test-"));
  const [api, otlp, grpc] = [await freePort(), await freePort(), await freePort()];
  let child: ChildProcess | undefined;
  let output = "";
  const exited = () =>
    new Promise<number | null>((done) => {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) done(child?.exitCode ?? null);
      else child.once("exit", (code) => done(code));
    });
  const burnwatch: Burnwatch = {
    directory,
    apiUrl: `http://127.0.0.1:${api}`,
    otlpUrl: `http://127.0.0.1:${otlp}`,
    tracesUrl: `http://127.0.0.1:${otlp}/v1/traces`,
    grpcUrl: `http://127.0.0.1:${grpc}`,
    output: () => output,
    async start(version = options.version ?? main) {
      child = spawn(process.execPath, [...nodeFlags, version, "serve", "--data", directory, ...(options.words ?? [])], {
        env: {
          ...process.env,
          UV_THREADPOOL_SIZE: threadPoolSize,
          BURNWATCH_API: `127.0.0.1:${api}`,
          BURNWATCH_OTLP_HTTP: `127.0.0.1:${otlp}`,
          BURNWATCH_OTLP_GRPC: `127.0.0.1:${grpc}`,
          BURNWATCH_CLICKHOUSE_HTTP: "off",
          ...options.environment,
        },
      });
      for (const stream of [child.stdout, child.stderr]) stream?.on("data", (data) => (output += String(data)));
      await untilReady(
        burnwatch.apiUrl,
        () => child?.exitCode ?? null,
        () => output,
      );
    },
    async stop() {
      child?.kill("SIGTERM");
      return exited();
    },
    async kill() {
      child?.kill("SIGKILL");
      await exited();
    },
    async remove() {
      child?.kill("SIGKILL");
      await exited();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  await burnwatch.start();
  return burnwatch;
}

async function untilReady(url: string, exitCode: () => number | null, output: () => string): Promise<void> {
  const deadline = Date.now() + readyWithinMs;
  while (Date.now() < deadline) {
    if (exitCode() !== null) throw new Error(`Burnwatch ended with code ${exitCode()}:\n${output()}`);
    const answer = await fetch(`${url}/readyz`).catch(() => undefined);
    if (answer?.ok === true) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`Burnwatch was not ready within ${readyWithinMs / 1000} s:\n${output()}`);
}

/** A port of loopback that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Runs the command line to its end. */
export async function burnwatch(
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [main, ...words], {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (data) => (stdout += String(data)));
  child.stderr.on("data", (data) => (stderr += String(data)));
  const code = await new Promise<number | null>((done) => child.once("close", done));
  return { code, stdout, stderr };
}

/** Rows of one question in SQL, as the API answers it. */
export async function sql<Row = Record<string, string>>(apiUrl: string, query: string): Promise<Row[]> {
  const answer = await fetch(`${apiUrl}/api/v1/sql`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query, format: "JSONEachRow" }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Row);
}

/** Waits until everything acknowledged can be queried. */
export async function settle(apiUrl: string): Promise<void> {
  const answer = await fetch(`${apiUrl}/api/v1/settle`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ timeout_seconds: 120 }),
  });
  if (!answer.ok) throw new Error(await answer.text());
}
