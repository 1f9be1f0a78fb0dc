/**
 * A ClickHouse server for test suites: the embedded engine in a process of its own behind the read-write form of the
 * ClickHouse HTTP interface. `startClickhouseServer` runs this file; by hand: `node test/support/clickhouse-server.ts`.
 */

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openReadWriteEngine } from "../../src/http/clickhouse-read-write.ts";
import { createClickhouseServer } from "../../src/http/clickhouse-server.ts";
import { threadPoolSize } from "../../src/runtime.mjs";

export interface ClickhouseTestServer {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  /** Ends the process, when its work is done or without a word; its data stay. */
  end(how: "terminate" | "kill"): Promise<void>;
  /** Starts it again over the same data, at the same address. */
  start(): Promise<void>;
  /** Ends the process and deletes its data. */
  stop(): Promise<void>;
}

const self = fileURLToPath(import.meta.url);
const bodyBytesMax = 256 * 1024 * 1024;
const questionsMax = 64;

/** Starts a server on a free port with an empty directory, and the configuration of a file; resolves once it listens. */
export async function startClickhouseServer(configFile?: string): Promise<ClickhouseTestServer> {
  const directory = mkdtempSync(join(tmpdir(), "burnwatch-clickhouse-"));
  let running = await launch(directory, "0", configFile);
  const { url } = running;
  return {
    url,
    end: (how) => running.end(how),
    async start() {
      running = await launch(directory, new URL(url).port, configFile);
    },
    async stop() {
      await running.end("terminate");
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function launch(directory: string, port: string, configFile: string | undefined) {
  // Standard input is the leash: the server ends when the process that started it does, however that ends.
  const words = [self, directory, port, ...(configFile === undefined ? [] : [configFile])];
  const child = spawn(process.execPath, words, {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, UV_THREADPOOL_SIZE: threadPoolSize },
  });
  const exited = new Promise<void>((done) => child.once("exit", () => done()));
  const url = await new Promise<string>((resolve, reject) => {
    let output = "";
    child.stdout.on("data", (data) => {
      output += String(data);
      const found = /listening on (\S+)\n/.exec(output)?.[1];
      if (found !== undefined) resolve(found);
    });
    child.once("exit", (code) => reject(new Error(`the ClickHouse server ended with code ${code}: ${output}`)));
  });
  return {
    url,
    async end(how: "terminate" | "kill") {
      if (how === "kill") child.kill("SIGKILL");
      else child.stdin.end();
      await exited;
    },
  };
}

function main(directory: string, port: number, configFile: string | undefined): void {
  const engine = openReadWriteEngine(directory, configFile);
  const server = createClickhouseServer({ engine, bodyBytesMax, questionsMax });
  server.listen(port, "127.0.0.1", () => {
    const bound = server.address();
    process.stdout.write(
      `listening on http://127.0.0.1:${typeof bound === "object" && bound !== null ? bound.port : port}\n`,
    );
  });
  const stop = async () => {
    server.close();
    server.closeAllConnections();
    await engine.close();
    process.exit(0);
  };
  process.once("SIGTERM", stop).once("SIGINT", stop);
  process.stdin.once("end", stop).resume();
}

if (process.argv[1] === self) {
  main(
    process.argv[2] ?? mkdtempSync(join(tmpdir(), "burnwatch-clickhouse-")),
    Number(process.argv[3] ?? 8123),
    process.argv[4],
  );
}
