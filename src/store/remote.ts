/**
 * ClickHouse on a server or cluster, over HTTP with `@clickhouse/client`. Settings travel with each request, and a
 * batch's token is its `insert_deduplication_token`. The user needs to read, to insert and to create in one database.
 */

import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import { constants, zstdCompress } from "node:zlib";
import {
  type ClickHouseClient,
  ClickHouseError,
  ClickHouseLogLevel,
  type ClickHouseSettings,
  createClient,
  type DataFormat,
} from "@clickhouse/client";
import type { MetricRows } from "../model/metric-rows.ts";
import { countBatchDays } from "./batch-days.ts";
import { metricInsertSettings, metricInserts } from "./metric-tables.ts";
import { migrateSchema, missingMigrations, type SchemaConnection } from "./migrations.ts";
import { insertReprice, type RepriceAudit } from "./reprices.ts";
import { repairRollups, sealDays } from "./rollup-repair.ts";
import { RunningWork } from "./running-work.ts";
import type { Retention } from "./schema.ts";
import { brokenSeals, openDays, sealedDays } from "./seals.ts";
import type { AskOptions, Batch, QueryLimits, QueryOptions, Store } from "./store.ts";
import { encodeUsageRows, insertSettings, usageColumns } from "./usage-row.ts";

export interface RemoteStoreOptions {
  /** `http://host:8123`, without credentials. */
  readonly url: string;
  readonly database?: string;
  readonly username?: string;
  readonly password?: string;
  /**
   * Who asks what people and reports ask; without it the same as who writes. It must see every row, and may be
   * `readonly = 2`: settings come with each question.
   */
  readonly reader?: { readonly username: string; readonly password: string };
  /**
   * `write` makes the database where it is missing, and is the default. `read` knows only who asks, if there is one: what
   * would change anything is refused by the server.
   */
  readonly access?: "write" | "read";
  readonly rawRetentionDays?: number;
  readonly rollupRetentionMonths?: number;
  readonly connectionsMax?: number;
  readonly requestTimeoutMs?: number;
}

/**
 * Connects to a server and, with access to write, creates the database where it is missing.
 * @throws Error when the server does not answer or refuses the user.
 */
export async function openRemoteStore(options: RemoteStoreOptions): Promise<Store> {
  const { database = "burnwatch" } = options;
  if (!/^\w+$/.test(database)) throw new Error(`clickhouse.database: "${database}" is not a plain name`);
  const writer = { username: options.username ?? "default", password: options.password ?? "" };
  const connect = (user: typeof writer, name?: string) =>
    createClient({
      url: options.url,
      ...user,
      max_open_connections: options.connectionsMax ?? 10,
      request_timeout: options.requestTimeoutMs ?? 120_000,
      // Inserts are compressed here; questions and answers are small.
      compression: { request: false, response: false },
      application: "burnwatch",
      log: { level: ClickHouseLogLevel.OFF },
      ...(name === undefined ? {} : { database: name }),
    });
  if (options.access === "read") {
    const keys = options.reader === undefined ? "clickhouse.user and clickhouse.password" : readerKeys;
    const reader = options.reader ?? writer;
    // The database may be missing yet: a writer makes it.
    const asked = connect(reader);
    await asked
      .command({ query: "SELECT 1" })
      .catch((cause: unknown) => Promise.reject(refused(options.url, keys, cause)))
      .finally(() => asked.close());
    const client = connect(reader, database);
    return new RemoteStore(options, client, client);
  }
  const first = connect(writer);
  try {
    await first.command({ query: `CREATE DATABASE IF NOT EXISTS ${database}` });
  } catch (cause) {
    throw refused(options.url, "clickhouse.user and clickhouse.password", cause);
  } finally {
    await first.close();
  }
  const client = connect(writer, database);
  if (options.reader === undefined) return new RemoteStore(options, client, client);
  const reader = connect(options.reader, database);
  try {
    await reader.command({ query: "SELECT 1" });
  } catch (cause) {
    await Promise.all([client.close(), reader.close()]);
    throw refused(options.url, readerKeys, cause);
  }
  return new RemoteStore(options, client, reader);
}

const compress = promisify(zstdCompress);
const fast = { [constants.ZSTD_c_compressionLevel]: 1 };
/** Output is made in pieces of this size. */
const pieceBytes = 256 * 1024;

const readerKeys = "clickhouse.read_user and clickhouse.read_password";

/** A line with what the server said; of credentials, which keys to look at. */
function refused(url: string, keys: string, cause: unknown): Error {
  const message = cause instanceof Error ? cause.message.split("\n")[0] : String(cause);
  const credentials = cause instanceof ClickHouseError && refusalCodes.has(cause.code);
  const advice = credentials ? `; correct ${keys}, or renew what has expired` : "";
  return new Error(`connect to ClickHouse at ${url}: ${message}${advice}`, { cause });
}

/** REQUIRED_PASSWORD, UNKNOWN_USER, WRONG_PASSWORD, ACCESS_DENIED, AUTHENTICATION_FAILED. */
const refusalCodes: ReadonlySet<string> = new Set(["192", "193", "194", "497", "516"]);

class RemoteStore implements Store {
  readonly #options: RemoteStoreOptions;
  readonly #client: ClickHouseClient;
  /** The same where nobody else reads. */
  readonly #reader: ClickHouseClient;
  readonly #work = new RunningWork();

  constructor(options: RemoteStoreOptions, client: ClickHouseClient, reader: ClickHouseClient) {
    this.#options = options;
    this.#client = client;
    this.#reader = reader;
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
      command: async (sql) => void (await this.#client.command({ query: sql })),
      query: (sql) => this.#read(this.#client, sql, {}),
    };
  }

  insert({ token, records }: Batch): Promise<void> {
    if (records.length === 0) return Promise.resolve();
    return this.#work.start(async () => {
      // `client.insert` would encode every row again; `exec` sends the bytes as they are.
      await this.#insertBlock(`usage_records (${usageColumns.join(", ")})`, await encodeUsageRows(token, records), {
        ...insertSettings,
        insert_deduplication_token: token,
      });
    });
  }

  insertMetrics(rows: MetricRows): Promise<void> {
    return this.#work.start(async () => {
      for (const { table, columns, block } of await metricInserts(rows))
        await this.#insertBlock(`${table} (${columns.join(", ")})`, block, metricInsertSettings);
    });
  }

  /**
   * `client.insert` would encode every row again; `exec` sends the bytes as they are. Blocks compress well (7x) and travel
   * between zones. The client's own compression goes in steps of 16 KiB; gzip takes six times as long as this.
   */
  async #insertBlock(into: string, block: Uint8Array, settings: ClickHouseSettings): Promise<void> {
    const body = await compress(block, { params: fast, chunkSize: pieceBytes });
    const { stream } = await this.#client.exec({
      query: `INSERT INTO ${into} FORMAT Native`,
      values: Readable.from([body], { objectMode: false }),
      http_headers: { "Content-Encoding": "zstd" },
      clickhouse_settings: { ...settings, wait_end_of_query: 1 },
    });
    await buffer(stream);
  }

  batchDays(token: string, days: readonly string[]): Promise<ReadonlyMap<string, number>> {
    // Decides what is inserted once more: as whoever inserts sees it.
    const query = <Row>(sql: string, options: QueryOptions = {}) =>
      this.#work.start(() => this.#read<Row>(this.#client, sql, options));
    return countBatchDays(query, token, days);
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
    return this.#work.start(() => this.#read<Row>(this.#reader, sql, options));
  }

  queryText(sql: string, format: string, options: AskOptions): Promise<Uint8Array> {
    // The answer is held back until it is whole: an error halfway is then an error, not a broken answer.
    return this.#work.start(async () => buffer(await this.#ask(sql, format, options, { wait_end_of_query: 1 })));
  }

  streamText(
    sql: string,
    format: string,
    options: AskOptions,
    take: (piece: Uint8Array) => Promise<void>,
  ): Promise<void> {
    return this.#work.start(async () => {
      for await (const piece of await this.#ask(sql, format, options, {})) await take(piece);
    });
  }

  async uptimeMs(): Promise<number> {
    const [row] = await this.query<{ seconds: string }>("SELECT toString(uptime()) AS seconds");
    return Number(row?.seconds) * 1000;
  }

  async describe(): Promise<string> {
    const [row] = await this.query<{ version: string }>("SELECT version() AS version");
    return `${this.#options.url} ${row?.version}`;
  }

  close(): Promise<void> {
    return this.#work.close(async () => {
      await this.#client.close();
      if (this.#reader !== this.#client) await this.#reader.close();
    });
  }

  async #ask(
    sql: string,
    format: string,
    { settings, signal, ...limits }: AskOptions,
    more: ClickHouseSettings,
  ): Promise<Readable> {
    const { stream } = await this.#reader.exec({
      query: sql,
      ...(signal === undefined ? {} : { abort_signal: signal }),
      clickhouse_settings: {
        ...limitSettings(limits),
        max_threads: 1,
        output_format_json_quote_decimals: 1,
        ...settings,
        cancel_http_readonly_queries_on_client_close: 1,
        default_format: format as DataFormat,
        ...more,
        readonly: "1",
      },
    });
    return stream;
  }

  async #read<Row>(client: ClickHouseClient, sql: string, { params, limits }: QueryOptions): Promise<readonly Row[]> {
    const result = await client.query({
      query: sql,
      format: "JSONEachRow",
      query_params: params === undefined ? {} : { ...params },
      clickhouse_settings: {
        output_format_json_quote_64bit_integers: 1,
        output_format_json_quote_decimals: 1,
        output_format_json_quote_denormals: 1,
        wait_end_of_query: 1,
        ...(limits === undefined ? {} : limitSettings(limits)),
      },
    });
    return result.json<Row>();
  }
}

function limitSettings({ seconds, rows, memoryBytes }: QueryLimits) {
  return {
    max_execution_time: seconds,
    timeout_overflow_mode: "throw",
    max_result_rows: String(rows),
    result_overflow_mode: "throw",
    max_result_bytes: String(memoryBytes),
    max_memory_usage: String(memoryBytes),
  } as const;
}
