/**
 * ClickHouse on a server or cluster, over HTTP with `@clickhouse/client`. Settings travel with each request, and a
 * batch's token is its `insert_deduplication_token`. The user needs to read, to insert and to create in one database.
 */

import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import { constants, zstdCompress } from "node:zlib";
import { type ClickHouseClient, ClickHouseError, type ClickHouseSettings, type DataFormat } from "@clickhouse/client";
import type { MetricRows } from "../model/metric-rows.ts";
import { countBatchDays } from "./batch-days.ts";
import { clusterStatement } from "./cluster-ddl.ts";
import { Credentials } from "./credentials.ts";
import { metricInsertSettings, metricInserts } from "./metric-tables.ts";
import { migrateSchema, missingMigrations, type SchemaConnection } from "./migrations.ts";
import { type PartPressure, PressureGauge } from "./part-pressure.ts";
import {
  connector,
  databaseOf,
  type RemoteStoreOptions,
  readerKeys,
  refused,
  refusedSince,
  type ServerClients,
  writerKeys,
  writerOf,
} from "./remote-servers.ts";
import { insertReprice, type RepriceAudit } from "./reprices.ts";
import { repairRollups, sealDays } from "./rollup-repair.ts";
import { RunningWork } from "./running-work.ts";
import type { Retention } from "./schema.ts";
import { brokenSeals, openDays, sealedDays } from "./seals.ts";
import { type AskOptions, type Batch, onlyShard, type QueryLimits, type QueryOptions, type Store } from "./store.ts";
import { encodeUsageRows, insertSettings, usageColumns } from "./usage-row.ts";

/**
 * Connects to a server and, with access to write, creates the database where it is missing.
 * @throws Error when the server does not answer or refuses the user.
 */
export async function openRemoteStore(options: RemoteStoreOptions): Promise<Store> {
  const connect = connector(options);
  const keys = keysOfReader(options);
  if (options.access === "read") {
    // The database may be missing yet: a writer makes it.
    const asked = connect(options.url, writerOf(options), null);
    await asked
      .command({ query: "SELECT 1" })
      .catch((cause: unknown) => Promise.reject(refused(options.url, keys, cause)))
      .finally(() => asked.close());
    return remoteStore(options);
  }
  const first = connect(options.url, writerOf(options), null);
  try {
    await first.command({ query: `CREATE DATABASE IF NOT EXISTS ${databaseOf(options)}` });
  } catch (cause) {
    throw refused(options.url, writerKeys, cause);
  } finally {
    await first.close();
  }
  if (options.reader !== undefined) {
    const reader = connect(options.url, options.reader, databaseOf(options));
    try {
      await reader.command({ query: "SELECT 1" });
    } catch (cause) {
      throw refused(options.url, readerKeys, cause);
    } finally {
      await reader.close();
    }
  }
  return remoteStore(options);
}

function keysOfReader({ reader }: RemoteStoreOptions): string {
  return reader === undefined ? writerKeys : readerKeys;
}

/** The same without asking whether anybody answers. */
export function remoteStore(options: RemoteStoreOptions): RemoteStore {
  const connect = connector(options);
  const servers = [options.url, ...(options.otherUrls ?? [])].map((url): ServerClients => {
    const client = connect(url, writerOf(options), databaseOf(options));
    const { reader, access } = options;
    return {
      url,
      client,
      reader: reader === undefined || access === "read" ? client : connect(url, reader, databaseOf(options)),
    };
  });
  return new RemoteStore(options, servers);
}

const compress = promisify(zstdCompress);
const fast = { [constants.ZSTD_c_compressionLevel]: 1 };
/** Output is made in pieces of this size. */
const pieceBytes = 256 * 1024;

/** NO_ZOOKEEPER, TABLE_IS_READ_ONLY, TOO_FEW_LIVE_REPLICAS, KEEPER_EXCEPTION: another replica may do better. */
const replicaCodes: ReadonlySet<string> = new Set(["225", "242", "285", "999"]);
const soonMs = 3000;
/** An acknowledged batch is on most replicas: it outlives the loss of one. */
const replicatedInsertSettings = { insert_quorum: "auto", insert_quorum_timeout: 60_000 } as const;
/** Waits for parts that other replicas have, not for merges. */
const syncReplica = "SYSTEM SYNC REPLICA usage_records LIGHTWEIGHT";

/** What is being done, and what its failures mean. */
interface Work {
  start<Result>(work: () => Promise<Result>): Promise<Result>;
}

export class RemoteStore implements Store {
  readonly shards = [onlyShard];
  readonly #options: RemoteStoreOptions;
  readonly #servers: readonly ServerClients[];
  /** Which of them is asked: another one once it does not answer. */
  #server = 0;
  /** By whoever writes, and by whoever asks. */
  readonly #work: Work;
  readonly #asking: Work;
  readonly #running = new RunningWork();
  readonly #credentials = new Credentials();
  readonly #pressure = new PressureGauge((sql) => this.#askSoon(sql));

  constructor(options: RemoteStoreOptions, servers: readonly ServerClients[]) {
    this.#options = options;
    this.#servers = servers;
    const comingWith = (keys: string): Work => ({
      start: (work) => this.#running.start(() => this.#movingOn(work, keys)),
    });
    this.#work = comingWith(options.access === "read" ? keysOfReader(options) : writerKeys);
    this.#asking = comingWith(keysOfReader(options));
  }

  get #client(): ClickHouseClient {
    return this.#at().client;
  }

  get #reader(): ClickHouseClient {
    return this.#at().reader;
  }

  #at(): ServerClients {
    const server = this.#servers[this.#server];
    if (server === undefined) throw new Error("a store needs a server");
    return server;
  }

  /** What fails for want of this replica is tried at the next one by whoever tries again. */
  async #movingOn<Result>(work: () => Promise<Result>, keys: string): Promise<Result> {
    const asked = this.#server;
    try {
      const result = await work();
      this.#credentials.taken(keys);
      return result;
    } catch (error) {
      const isReplica = !(error instanceof ClickHouseError) || replicaCodes.has(error.code);
      if (isReplica && this.#server === asked) this.#server = (asked + 1) % this.#servers.length;
      const known = refusedSince(this.#servers[asked]?.url ?? "", keys, error);
      throw this.#credentials.seen(known, keys, {
        isRefusal: known !== error,
        ask: () => (keys === readerKeys ? this.#reader : this.#client).command({ query: "SELECT 1" }),
      });
    }
  }

  migrate(): Promise<readonly string[]> {
    return this.#work.start(() => migrateSchema(this.#schemaConnection(), this.#retention()));
  }

  missingMigrations(): Promise<readonly string[]> {
    return this.#work.start(() => missingMigrations(this.#schemaConnection(), this.#retention()));
  }

  #retention(): Retention {
    const { rawRetentionDays = 90, rollupRetentionMonths = 13, coldStorage } = this.#options;
    return { rawRetentionDays, rollupRetentionMonths, ...(coldStorage === undefined ? {} : { coldStorage }) };
  }

  #schemaConnection(): SchemaConnection {
    const { cluster } = this.#options;
    const place = cluster === undefined ? null : { cluster, database: databaseOf(this.#options) };
    return {
      command: async (sql) => {
        const query = place === null ? sql : clusterStatement(sql, place);
        if (query !== null) await this.#client.command({ query });
      },
      query: (sql) => this.#read(this.#client, sql, {}),
    };
  }

  insert({ token, records }: Batch): Promise<void> {
    if (records.length === 0) return Promise.resolve();
    return this.#work.start(async () => {
      const settings = {
        ...insertSettings,
        ...(this.#options.cluster === undefined ? {} : replicatedInsertSettings),
        insert_deduplication_token: token,
        // Servers before 26 do without: then rollups would not heal when the base has the batch already.
        deduplicate_blocks_in_dependent_materialized_views: 1 as const,
      };
      await this.#insertBlock(
        `usage_records (${usageColumns.join(", ")})`,
        await encodeUsageRows(token, records),
        settings,
      );
      this.#pressure.inserted();
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
    return countBatchDays((sql, options) => this.queryShards(sql, options), token, days);
  }

  /** Decides what is inserted once more: as whoever inserts sees it, after what other replicas have. */
  queryShards<Row>(sql: string, options: QueryOptions = {}): Promise<readonly Row[]> {
    return this.#work.start(async () => {
      if (this.#options.cluster !== undefined) await this.#client.command({ query: syncReplica });
      return this.#read<Row>(this.#client, sql, options);
    });
  }

  partPressure(): Promise<PartPressure> {
    return this.#pressure.read();
  }

  /** Somebody waits who can do something else. */
  #askSoon<Row>(sql: string): Promise<readonly Row[]> {
    return this.#work.start(() => this.#read<Row>(this.#client, sql, { signal: AbortSignal.timeout(soonMs) }));
  }

  /** One statement as it stands, by whoever writes. */
  command(sql: string): Promise<void> {
    return this.#work.start(async () => void (await this.#client.command({ query: sql })));
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
    return this.#asking.start(() => this.#read<Row>(this.#reader, sql, options));
  }

  queryText(sql: string, format: string, options: AskOptions): Promise<Uint8Array> {
    // The answer is held back until it is whole: an error halfway is then an error, not a broken answer.
    return this.#asking.start(async () => buffer(await this.#ask(sql, format, options, { wait_end_of_query: 1 })));
  }

  streamText(
    sql: string,
    format: string,
    options: AskOptions,
    take: (piece: Uint8Array) => Promise<void>,
  ): Promise<void> {
    return this.#asking.start(async () => {
      for await (const piece of await this.#ask(sql, format, options, {})) await take(piece);
    });
  }

  async uptimeMs(): Promise<number> {
    const [row] = await this.query<{ seconds: string }>("SELECT toString(uptime()) AS seconds");
    return Number(row?.seconds) * 1000;
  }

  async describe(): Promise<string> {
    const [row] = await this.query<{ version: string }>("SELECT version() AS version");
    return `${this.#at().url} ${row?.version}`;
  }

  refusal(): string | null {
    return this.#credentials.refusal();
  }

  close(): Promise<void> {
    this.#credentials.close();
    return this.#running.close(async () => {
      for (const { client, reader } of this.#servers) {
        await client.close();
        if (reader !== client) await reader.close();
      }
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

  async #read<Row>(
    client: ClickHouseClient,
    sql: string,
    { params, limits, signal }: QueryOptions & { readonly signal?: AbortSignal },
  ): Promise<readonly Row[]> {
    const result = await client.query({
      query: sql,
      ...(signal === undefined ? {} : { abort_signal: signal }),
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
