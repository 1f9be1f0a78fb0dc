/**
 * ClickHouse inside this process, behind `@clickhouse/client`. This file knows the engine's traps (measured on chdb
 * 3.4.0, engine 26.7.2):
 *
 * - `clickhouse_settings` become `SET` on a connection and stay there: settings go into the SQL instead, and `SET` is
 *   used only where it shall stay (a connection's prepared purpose).
 * - One connection runs one statement at a time: one writes, a few read, a few answer users' SQL.
 * - Its inserts take text formats only, and parsing text is most of an insert: rows go by a file in a binary format.
 * - The database `default` shows every file of the machine as a table: ours is `burnwatch`.
 * - Async inserts are on by default here: off, since deduplication and the acknowledgement must be of this insert.
 * - What a statement had written before it failed stays on its connection and would stand before the next answer there.
 * - The engine crashes when the process exits during a statement: `close` waits for all of them.
 */

import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout } from "node:timers/promises";
import { type ClickHouseClient, ClickHouseLogLevel, createClient } from "@clickhouse/client";
import type { ChdbConnection, createChdbConnection } from "chdb/connection";
import type { MetricRows } from "../model/metric-rows.ts";
import { countBatchDays } from "./batch-days.ts";
import { bindParameters, quote } from "./bind-parameters.ts";
import { ConnectionPool } from "./connection-pool.ts";
import { directoryHolder } from "./directory-lock.ts";
import { metricInsertSettings, metricInserts } from "./metric-tables.ts";
import { migrateSchema, missingMigrations, type SchemaConnection } from "./migrations.ts";
import { type PartPressure, PressureGauge } from "./part-pressure.ts";
import { insertReprice, type RepriceAudit } from "./reprices.ts";
import { repairRollups, sealDays } from "./rollup-repair.ts";
import { RunningWork } from "./running-work.ts";
import type { Retention } from "./schema.ts";
import { lendAsFile } from "./scratch-file.ts";
import { brokenSeals, openDays, sealedDays } from "./seals.ts";
import { type AskOptions, type Batch, onlyShard, type QueryLimits, type QueryOptions, type Store } from "./store.ts";
import { encodeUsageRows, insertSettings, usageColumns, usageStructure } from "./usage-row.ts";

export interface EmbeddedStoreOptions {
  /** Belongs to one process at a time. */
  readonly directory: string;
  readonly rawRetentionDays?: number;
  readonly rollupRetentionMonths?: number;
  /** Trusted reads that run at once; users' SQL has `gates` connections of its own. */
  readonly readers?: number;
  readonly gates?: number;
}

/** Another process holds the data directory. */
export class StoreLockedError extends Error {
  override readonly name = "StoreLockedError";
}

/** The database of our tables and views in the embedded engine. */
export const embeddedDatabase = "burnwatch";
const waitingMax = 256;
const stopStatementEveryMs = 250;
const memoryWatchedEveryMs = 50;
/** Of a statement's own limit, which the engine keeps as far as it counts, what the process may grow by. */
const grownMemoryFactor = 1.5;
const reads = /^[\s(]*(?:SELECT|WITH|EXPLAIN|SHOW|DESC)/i;

/** JSON keeps every digit: 64-bit integers and decimals are quoted. */
const readerSettings = `SET output_format_json_quote_64bit_integers = 1, output_format_json_quote_decimals = 1,
  output_format_json_quote_denormals = 1`;

/**
 * Opens the data directory, or creates it.
 * @throws StoreLockedError when another process has it open.
 * @throws Error when this platform has no embedded engine.
 */
export async function openEmbeddedStore(options: EmbeddedStoreOptions): Promise<Store> {
  const connect = await loadEngine();
  const holder = directoryHolder(options.directory);
  if (holder !== undefined)
    throw new StoreLockedError(
      `another Burnwatch is running on this data directory: process ${holder} holds ${options.directory}`,
    );
  const writer = openConnection(connect, options.directory);
  await writer.client.command({ query: `CREATE DATABASE IF NOT EXISTS ${embeddedDatabase}` });
  await writer.client.command({ query: `USE ${embeddedDatabase}` });
  const open = async (prepare: string) => {
    const opened = openConnection(connect, options.directory);
    await opened.client.command({ query: `USE ${embeddedDatabase}` });
    for (const statement of prepare.split(";\n")) await opened.client.command({ query: statement });
    return opened;
  };
  return new EmbeddedStore(options, {
    writer,
    readers: new ConnectionPool({ open, connectionsMax: options.readers ?? 3, waitingMax }),
    gates: new ConnectionPool({ open, connectionsMax: options.gates ?? 2, waitingMax }),
  });
}

type ClientOptions = NonNullable<Parameters<typeof createClient>[0]>;

interface Opened {
  readonly client: ClickHouseClient;
  readonly connection: ChdbConnection;
}

interface Connections {
  readonly writer: Opened;
  readonly readers: ConnectionPool<Opened>;
  readonly gates: ConnectionPool<Opened>;
}

class EmbeddedStore implements Store {
  readonly #options: EmbeddedStoreOptions;
  readonly #connections: Connections;
  readonly #work = new RunningWork();
  readonly #pressure = new PressureGauge((sql) => this.query(sql));
  readonly shards = [onlyShard];
  #inserts = 0;

  constructor(options: EmbeddedStoreOptions, connections: Connections) {
    this.#options = options;
    this.#connections = connections;
  }

  migrate(): Promise<readonly string[]> {
    return this.#work.start(() => migrateSchema(this.#schemaConnection(), this.#retention()));
  }

  missingMigrations(): Promise<readonly string[]> {
    return this.#work.start(() => missingMigrations(this.#schemaConnection(), this.#retention()));
  }

  #retention(): Retention {
    const { rawRetentionDays = 90, rollupRetentionMonths = 13 } = this.#options;
    return { rawRetentionDays, rollupRetentionMonths };
  }

  #schemaConnection(): SchemaConnection {
    return {
      command: async (sql) => void (await this.#connections.writer.client.command({ query: sql })),
      query: (sql) => this.#read(sql, {}),
    };
  }

  insert({ token, records }: Batch): Promise<void> {
    if (records.length === 0) return Promise.resolve();
    return this.#work.start(async () => {
      const path = join(this.#options.directory, `insert-${this.#inserts++}.native`);
      await lendAsFile(path, await encodeUsageRows(token, records), (descriptor) =>
        this.#connections.writer.connection.chdb.queryAsync(insertFrom(descriptor, token)),
      );
      this.#pressure.inserted();
    });
  }

  insertMetrics(rows: MetricRows): Promise<void> {
    return this.#work.start(async () => {
      for (const { table, columns, structure, block } of await metricInserts(rows)) {
        const path = join(this.#options.directory, `insert-${this.#inserts++}.native`);
        const metricSettings = Object.entries(metricInsertSettings).map(([name, value]) => `${name} = ${value}`);
        const into = `INSERT INTO ${table} (${columns.join(", ")}) SETTINGS ${metricSettings.join(", ")}`;
        await lendAsFile(path, block, (descriptor) =>
          this.#connections.writer.connection.chdb.queryAsync(
            `${into} SELECT * FROM file(${descriptor}, Native, ${quote(structure)})`,
          ),
        );
      }
    });
  }

  batchDays(token: string, days: readonly string[]): Promise<ReadonlyMap<string, number>> {
    return countBatchDays((sql, options) => this.query(sql, options), token, days);
  }

  repairRollups(days: readonly string[]): Promise<readonly string[]> {
    return this.#work.start(() => repairRollups(this.#schemaConnection(), days, this.#retention()));
  }

  sealedDays(): Promise<readonly string[]> {
    return this.#work.start(() => sealedDays(this.#schemaConnection()));
  }

  sealDays(before: string): Promise<readonly string[]> {
    return this.#work.start(() => sealDays(this.#schemaConnection(), before, this.#retention()));
  }

  openDays(days: readonly string[]): Promise<void> {
    return this.#work.start(() => openDays(this.#schemaConnection(), days));
  }

  brokenSeals(): Promise<readonly string[]> {
    return this.#work.start(() => brokenSeals(this.#schemaConnection(), this.#retention()));
  }

  recordReprice(audit: RepriceAudit): Promise<void> {
    return this.#work.start(() => this.#schemaConnection().command(insertReprice(audit)));
  }

  query<Row>(sql: string, options: QueryOptions = {}): Promise<readonly Row[]> {
    return this.#work.start(() => this.#read<Row>(sql, options));
  }

  queryText(sql: string, format: string, options: AskOptions): Promise<Uint8Array> {
    return this.#work.start(async () => {
      // Of the answer itself the engine counts nothing, and of a constant column one value: memory is watched instead.
      const grown = watchMemory(options.memoryBytes * grownMemoryFactor);
      const signal = AbortSignal.any([grown.signal, ...(options.signal === undefined ? [] : [options.signal])]);
      try {
        return await this.#ask(sql, { ...options, signal }, async ({ chdb }, statement) =>
          (await chdb.queryAsync(statement, { format })).bytes(),
        );
      } catch (error) {
        throw grown.signal.aborted ? grown.signal.reason : error;
      } finally {
        grown.stop();
      }
    });
  }

  streamText(
    sql: string,
    format: string,
    options: AskOptions,
    take: (piece: Uint8Array) => Promise<void>,
  ): Promise<void> {
    return this.#ask(sql, options, async ({ chdb }, statement) => {
      for await (const piece of chdb.queryStream(statement, { format })) await take(piece.raw());
    });
  }

  queryShards<Row>(sql: string, options: QueryOptions = {}): Promise<readonly Row[]> {
    return this.query(sql, options);
  }

  partPressure(): Promise<PartPressure> {
    return this.#pressure.read();
  }

  async uptimeMs(): Promise<number> {
    const [row] = await this.query<{ seconds: string }>("SELECT toString(uptime()) AS seconds");
    return Number(row?.seconds) * 1000;
  }

  async describe(): Promise<string> {
    const [row] = await this.query<{ version: string }>("SELECT version() AS version");
    return `embedded ${row?.version}`;
  }

  close(): Promise<void> {
    return this.#work.close(async () => {
      const { writer, readers, gates } = this.#connections;
      await Promise.all([readers.close(), gates.close()]);
      await writer.client.close();
    });
  }

  /** Runs a user's statement on a connection of its kind; when the asker leaves, the engine is told to stop. */
  #ask<Result>(
    sql: string,
    options: AskOptions,
    run: (connection: ChdbConnection, statement: string) => Promise<Result>,
  ): Promise<Result> {
    const { signal } = options;
    // The engine gives ids of its own to statements: ours stands in a comment, by which it is found.
    const mark = `/* ask ${randomUUID()} */`;
    return this.#work.start(() =>
      this.#connections.gates.use(gateSettings(options), async ({ connection }) => {
        signal?.throwIfAborted();
        // Behind the rows of an INSERT a comment is no comment; only what reads comes this far, and is worth stopping.
        if (signal === undefined || !reads.test(sql)) return rinseAfterFailure(connection, () => run(connection, sql));
        const ended = new AbortController();
        const stopping = this.#stopStatement(mark, signal, ended.signal);
        try {
          return await rinseAfterFailure(connection, () => run(connection, `${sql}\n${mark}`));
        } finally {
          ended.abort();
          await stopping;
        }
      }),
    );
  }

  /** From the asker's leaving until the statement has ended: the engine may not have begun it when it is first told. */
  async #stopStatement(mark: string, left: AbortSignal, ended: AbortSignal): Promise<void> {
    const query = `KILL QUERY WHERE endsWith(query, '${mark}') ASYNC`;
    await once(left, "abort", { signal: ended }).catch(() => undefined);
    while (left.aborted && !ended.aborted) {
      await this.#connections.readers
        .use(readerSettings, ({ client }) => client.command({ query }))
        .catch(() => undefined);
      await setTimeout(stopStatementEveryMs, undefined, { signal: ended }).catch(() => undefined);
    }
  }

  /** FORMAT ... SETTINGS holds for the whole statement, whatever it ends in, and for this one only. */
  #read<Row>(sql: string, { params = {}, limits }: QueryOptions): Promise<readonly Row[]> {
    const settings = limits === undefined ? "" : `\nSETTINGS ${limitSettings(limits)}`;
    const query = `${bindParameters(sql, params)}\nFORMAT JSONEachRow${settings}`;
    return this.#connections.readers.use(readerSettings, ({ client, connection }) =>
      rinseAfterFailure(connection, async () => {
        const { stream } = await client.exec({ query });
        const lines = (await text(stream)).trimEnd();
        return lines === "" ? [] : (JSON.parse(`[${lines.replaceAll("\n", ",")}]`) as Row[]);
      }),
    );
  }
}

/** Aborts once the process has grown by so much. */
function watchMemory(bytesMax: number): { readonly signal: AbortSignal; stop(): void } {
  const grown = new AbortController();
  const before = process.memoryUsage.rss();
  const message = `Code: 241. DB::Exception: The answer needs more than ${bytesMax} bytes of memory. (MEMORY_LIMIT_EXCEEDED)`;
  const timer = setInterval(() => {
    if (process.memoryUsage.rss() - before > bytesMax) grown.abort(new Error(message));
  }, memoryWatchedEveryMs);
  return { signal: grown.signal, stop: () => clearInterval(timer) };
}

/** Another statement takes away what a failed one left. A connection on which even that fails answers nobody any more. */
async function rinseAfterFailure<Result>(connection: ChdbConnection, run: () => Promise<Result>): Promise<Result> {
  try {
    return await run();
  } catch (error) {
    await connection.chdb.queryAsync("SELECT 1", { format: "Null" }).catch(() => connection.close());
    throw error;
  }
}

/**
 * A batch's rows out of a file, under the batch's token: they reach the table as the one block that the file holds. The
 * engine may deem a SELECT unfit for deduplication and then store a repeat: it shall refuse instead.
 */
function insertFrom(descriptor: number, token: string): string {
  const settings = Object.entries({
    ...insertSettings,
    insert_deduplication_token: quote(token),
    deduplicate_insert_select: "'force_enable'",
  });
  return `INSERT INTO usage_records (${usageColumns.join(", ")})
SETTINGS ${settings.map(([name, value]) => `${name} = ${value}`).join(", ")}
SELECT * FROM file(${descriptor}, Native, ${quote(usageStructure)})`;
}

/**
 * Limits as settings. Users' SQL gets them by `SET` on a connection that is then read-only for good: nothing can raise
 * them, and a statement's own SETTINGS are refused by the engine.
 */
function limitSettings({ seconds, rows, memoryBytes }: QueryLimits): string {
  return (
    `max_execution_time = ${seconds}, timeout_overflow_mode = 'throw', max_result_rows = ${rows}, ` +
    `result_overflow_mode = 'throw', max_memory_usage = ${memoryBytes}, max_result_bytes = ${memoryBytes}`
  );
}

/** What prepares a connection for a kind of question, one statement a line. The last makes it read-only for good. */
function gateSettings({ settings = {}, ...limits }: AskOptions): string {
  const asked = Object.entries(settings).map(([name, value]) => `, ${name} = '${value.replace(/[\\']/g, "\\$&")}'`);
  // Formatting in threads of its own runs on after a statement was stopped, and its memory is not counted.
  const own = "max_threads = 1, output_format_parallel_formatting = 0, output_format_json_quote_decimals = 1";
  return `SET ${limitSettings(limits)}, ${own}${asked.join("")};\nSET readonly = 1`;
}

async function loadEngine(): Promise<typeof createChdbConnection> {
  try {
    return (await import("chdb/connection")).createChdbConnection;
  } catch (cause) {
    throw new Error(
      `no ClickHouse engine for this platform (${process.platform}-${process.arch}): point clickhouse.url at a ClickHouse server`,
      { cause },
    );
  }
}

function openConnection(connect: typeof createChdbConnection, directory: string): Opened {
  try {
    const connection = connect({ path: directory });
    const client = createClient({
      // The engine's package and the client bring the same interface in two copies of one declaration.
      connection: connection as unknown as NonNullable<ClientOptions["connection"]>,
      log: { level: ClickHouseLogLevel.OFF },
    });
    return { connection, client };
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`open the data directory: ${message} (is another Burnwatch running on it?)`, { cause });
  }
}
