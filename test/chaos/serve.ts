/**
 * A server that can be told where to die. Composed of the real parts as `src/server.ts` does it, with `standBetween` in
 * the only place where a test may stand: between the pipeline and its adapters.
 */

import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { pino } from "pino";
import { type Address, readConfig } from "../../src/config.ts";
import { lockDirectory } from "../../src/event-log/directory-lock.ts";
import { openLogs, openPipeline } from "../../src/pipeline.ts";
import { openEmbeddedStore } from "../../src/store/embedded.ts";
import { Journal } from "./journal.ts";
import type { Failpoint } from "./places.ts";
import { type Mutation, standBetween } from "./stand-between.ts";

/** What the parent says, as JSON in the environment variable CHAOS. */
export interface ChaosOrders {
  readonly failpoint: Failpoint | null;
  readonly mutation: Mutation | null;
  /** File of the journal, outside of the data directory. */
  readonly journal: string;
}

const orders = JSON.parse(process.env["CHAOS"] ?? "{}") as ChaosOrders;
const log = pino({ level: process.env["BURNWATCH_LOG_LEVEL"] ?? "warn" }, pino.destination({ dest: 2, sync: true }));
// A server whose parent is gone would hold ports and disk for ever.
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));

try {
  await run();
} catch (error) {
  process.stderr.write(`burnwatch serve: ${(error as Error).message}\n`);
  process.exit(1);
}

async function run(): Promise<void> {
  const config = readConfig(undefined, process.env);
  const { rawRetentionDays, rollupRetentionMonths } = config;
  const lock = await lockDirectory(config.data);
  const opened = await openEmbeddedStore({
    directory: join(config.data, "clickhouse"),
    rawRetentionDays,
    rollupRetentionMonths,
  });
  await opened.migrate();
  const realLogs = openLogs(config);
  const journal = new Journal(orders.journal);
  const { store, ...logs } = standBetween({ ...realLogs, store: opened }, { ...orders, journal });
  const pipeline = openPipeline({
    config,
    log,
    version: "chaos",
    store,
    logs: { ...realLogs, ...logs },
    terminal: { write: () => undefined, colours: false },
  });
  const api = createServer((request, response) => void pipeline.route(request, response));
  await listen(api, config.api);
  await listen(pipeline.otlp.http, config.otlpHttp);
  const code = await untilStopped(pipeline.failed);
  for (const server of [api, pipeline.otlp.http]) await close(server);
  await pipeline.stop();
  await opened.close();
  await lock.release();
  process.exit(code);
}

function listen(server: Server, address: Address | null): Promise<void> {
  server.on("clientError", (_error, socket) => socket.destroy());
  return new Promise((done) => server.listen(address?.port, address?.host, done));
}

function close(server: Server): Promise<void> {
  return new Promise((done) => {
    server.close(() => done());
    server.closeAllConnections();
  });
}

function untilStopped(failed: Promise<never>): Promise<number> {
  return new Promise((done) => {
    process.once("SIGTERM", () => done(0));
    failed.catch((error: Error) => {
      process.stderr.write(`burnwatch serve: a worker failed: ${error.message}\n`);
      done(1);
    });
  });
}
