/** The server under attack: a process on one directory and one pair of ports, started, killed and started again. */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { nodeFlags, startAgainCode, threadPoolSize } from "../../src/runtime.mjs";
import { freePort } from "../support/burnwatch.ts";
import type { Failpoint } from "./places.ts";
import type { ChaosOrders } from "./serve.ts";
import type { Mutation } from "./stand-between.ts";

const entry = fileURLToPath(new URL("serve.ts", import.meta.url));
/** Ten processes at once on a crowded machine take more than a minute. */
const readyWithinMs = 180_000;
const stoppedWithinMs = 30_000;
const outputMax = 8000;

export interface VictimOptions {
  /** Of the data; a new temporary one by default. */
  readonly directory?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly mutation?: Mutation | null;
  /** What it runs: by default a server that does everything. */
  readonly entry?: string;
}

export interface StartOptions {
  readonly failpoint?: Failpoint | null;
  readonly nodeFlags?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** A hang or an unexpected end: a finding, not a failure of the harness. */
export class VictimError extends Error {
  override name = "VictimError";
}

export class Victim {
  readonly directory: string;
  readonly journal: string;
  readonly #options: VictimOptions;
  readonly #ports: { readonly api: number; readonly otlp: number };
  readonly #scratch: string;
  #child: ChildProcess | undefined;
  #output = "";

  static async create(options: VictimOptions = {}): Promise<Victim> {
    return new Victim(options, { api: await freePort(), otlp: await freePort() });
  }

  private constructor(options: VictimOptions, ports: { readonly api: number; readonly otlp: number }) {
    this.#options = options;
    this.#ports = ports;
    this.#scratch = mkdtempSync(join(tmpdir(), "burnwatch-chaos-"));
    this.directory = options.directory ?? join(this.#scratch, "data");
    this.journal = join(this.#scratch, "journal");
  }

  get apiUrl(): string {
    return `http://127.0.0.1:${this.#ports.api}`;
  }

  get tracesUrl(): string {
    return `http://127.0.0.1:${this.#ports.otlp}/v1/traces`;
  }

  get otlpPort(): number {
    return this.#ports.otlp;
  }

  /** What the present or last process wrote, its end. */
  output(): string {
    return this.#output;
  }

  /** How often it ended because lmdb had aborted a commit, for its launcher to start it again. */
  lmdbEnds = 0;

  alive(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Starts the process and does not wait for it. */
  spawn({ failpoint = null, nodeFlags: flags = [], environment = {} }: StartOptions = {}): void {
    const orders: ChaosOrders = { failpoint, mutation: this.#options.mutation ?? null, journal: this.journal };
    this.#output = "";
    const child = spawn(process.execPath, [...nodeFlags, ...flags, this.#options.entry ?? entry], {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      env: {
        ...process.env,
        UV_THREADPOOL_SIZE: threadPoolSize,
        CHAOS: JSON.stringify(orders),
        BURNWATCH_DATA: this.directory,
        BURNWATCH_CLICKHOUSE_HTTP: "off",
        BURNWATCH_API: `127.0.0.1:${this.#ports.api}`,
        BURNWATCH_OTLP_HTTP: `127.0.0.1:${this.#ports.otlp}`,
        BURNWATCH_OTLP_GRPC: "off",
        ...this.#options.environment,
        ...environment,
      },
    });
    this.#child = child;
    child.once("close", () => {
      if (this.endedByLmdb()) this.lmdbEnds++;
    });
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (data) => {
        this.#output = `${this.#output}${data}`.slice(-outputMax);
      });
  }

  /** Starts the process; resolves when it is ready. @throws VictimError when it ends or hangs instead. */
  async start(options: StartOptions = {}): Promise<void> {
    this.spawn(options);
    await this.ready();
  }

  /** @throws VictimError when it ends or hangs instead. */
  async ready(): Promise<void> {
    const deadline = performance.now() + readyWithinMs;
    while (performance.now() < deadline) {
      if (!this.alive()) throw new VictimError(`the server ended instead of getting ready:\n${this.#output}`);
      const answer = await fetch(`${this.apiUrl}/readyz`).catch(() => undefined);
      if (answer?.ok === true) return;
      await new Promise((done) => setTimeout(done, 20));
    }
    throw new VictimError(`the server was not ready within ${readyWithinMs / 1000} s:\n${this.#output}`);
  }

  /** Resolves with true once the process is gone, false when it still lives after that time. */
  gone(withinMs: number): Promise<boolean> {
    const child = this.#child;
    if (child === undefined || !this.alive()) return Promise.resolve(true);
    return new Promise((done) => {
      const timer = setTimeout(() => done(false), withinMs);
      // By then its output is read, too.
      child.once("close", () => {
        clearTimeout(timer);
        done(true);
      });
    });
  }

  /** How the last process ended. */
  ended(): { readonly code: number | null; readonly signal: string | null } {
    return { code: this.#child?.exitCode ?? null, signal: this.#child?.signalCode ?? null };
  }

  /**
   * True where it ended by itself because lmdb had aborted a commit (a fault of its free list, known elsewhere; nothing of
   * the commit is kept). Any other end of a process that asks to be started again is a finding.
   */
  endedByLmdb(): boolean {
    return this.ended().code === startAgainCode && this.#output.includes("MDB_BAD_TXN");
  }

  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.gone(stoppedWithinMs);
  }

  /** Sends a message to what was loaded before the server. */
  tell(message: object): void {
    this.#child?.send(message);
  }

  /** Tells it to stop and does not wait. */
  terminate(): void {
    this.#child?.kill("SIGTERM");
  }

  /** @throws VictimError when it hangs, or ends with another code than 0 and not because of lmdb. */
  async stop(): Promise<void> {
    this.terminate();
    if (!(await this.gone(stoppedWithinMs))) {
      await this.kill();
      throw new VictimError(`the server did not stop within ${stoppedWithinMs / 1000} s:\n${this.#output}`);
    }
    const { code, signal } = this.ended();
    if (code !== 0 && !this.endedByLmdb())
      throw new VictimError(`the server stopped with ${code ?? signal}:\n${this.#output}`);
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.#scratch, { recursive: true, force: true });
  }
}
