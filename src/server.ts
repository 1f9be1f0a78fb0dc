/** The running server: takes its directory, opens the store and the pipeline, listens, and takes it all down in order. */

import { existsSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import type { Logger } from "pino";
import type { Terminal } from "./channels/terminal.ts";
import { remoteOptionsOf, shardsOf } from "./cluster/shards.ts";
import type { Config } from "./config.ts";
import { lockDirectory } from "./event-log/directory-lock.ts";
import { DiskSpace } from "./event-log/disk-space.ts";
import { createClickhouseFront } from "./http/clickhouse-front.ts";
import { closeConnectionsAfterMs, listen, listenHttp } from "./listen.ts";
import { openLogs, openPipeline } from "./pipeline.ts";
import type { ServerState } from "./server-state.ts";
import { embeddedDatabase, openEmbeddedStore } from "./store/embedded.ts";
import { openRemoteStore } from "./store/remote.ts";
import { openShardedStore } from "./store/sharded.ts";
import type { Store } from "./store/store.ts";

export interface ServerOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly version: string;
  readonly terminal: Terminal;
}

export interface RunningServer {
  /** Ports as bound, null where closed. */
  readonly otlpPort: number | null;
  readonly grpcPort: number | null;
  readonly apiPort: number | null;
  readonly clickhousePort: number | null;
  readonly state: ServerState;
  /** Rejects when a worker can no longer go on: the process should stop and start again. */
  readonly failed: Promise<never>;
  /** Takes no more, delivers what was begun, closes everything. */
  stop(): Promise<void>;
}

/**
 * Starts everything on one machine.
 * @throws Error with one plain line when the directory is taken, a port is in use, or there is no engine.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { config, log } = options;
  const undo: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const lock = await lockDirectory(config.data);
    undo.push(() => lock.release());
    refuseNewOnFullDisk(config);
    const store = await openStore(config);
    undo.push(() => store.close());
    const migrations = await store.migrate();
    if (migrations.length > 0) log.info({ migrations }, "schema is up to date");
    const pipeline = openPipeline({ ...options, store, logs: openLogs(config) });
    undo.push(() => pipeline.stop());
    const api = createServer((request, response) => void pipeline.route(request, response));
    const apiPort = await listenHttp(config.api, "api", api, undo);
    const clickhousePort = await listenForClickhouse(options, store, undo);
    const { http, grpc } = pipeline.otlp;
    const otlpPort = await listenHttp(config.otlpHttp, "otlp.http", http, undo);
    const grpcPort = await listen(config.otlpGrpc, "otlp.grpc", grpc.server);
    if (grpcPort !== null) undo.push(() => grpc.stop(closeConnectionsAfterMs));
    return { otlpPort, grpcPort, apiPort, clickhousePort, state: pipeline.state, failed: pipeline.failed, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** With its files in place the server works on a full disk, but for taking spans; it cannot make them there. */
function refuseNewOnFullDisk({ data, diskFreeBytesMin }: Config): void {
  const shortage = new DiskSpace({ directory: data, freeBytesMin: diskFreeBytesMin }).shortage();
  if (shortage === null || existsSync(join(data, "usage", "data.mdb"))) return;
  throw new Error(`cannot begin in ${data}: ${shortage}; free some, or choose another directory with --data`);
}

/**
 * The store of a configuration: a ClickHouse server where one is named, else the engine in this process.
 * @param access to a server: who only reads needs no other user than `clickhouse.read_user`.
 */
export async function openStore(config: Config, access: "write" | "read" = "write"): Promise<Store> {
  const { rawRetentionDays, rollupRetentionMonths } = config;
  const sharded = shardsOf(config);
  if (sharded === null && config.clickhouseUrl === null) {
    return openEmbeddedStore({ directory: join(config.data, "clickhouse"), rawRetentionDays, rollupRetentionMonths });
  }
  const remote = { ...remoteOptionsOf(config), access };
  return sharded === null
    ? openRemoteStore({ url: config.clickhouseUrl ?? "", ...remote })
    : openShardedStore({ ...sharded, ...remote });
}

/** On ClickHouse's own port a server of the user's may answer already: that is no reason not to start, only to say so. */
async function listenForClickhouse({ config, log }: ServerOptions, store: Store, undo: (() => Promise<void>)[]) {
  const front = createClickhouseFront(
    store,
    config.clickhouseUrl === null ? embeddedDatabase : config.clickhouseDatabase,
  );
  return listenHttp(config.clickhouseHttp, "clickhouse.http", front, undo).catch((error: Error) => {
    if (config.clickhouseHttp?.port !== 8123) throw error;
    log.warn({ reason: error.message }, "the ClickHouse HTTP interface is closed");
    return null;
  });
}
