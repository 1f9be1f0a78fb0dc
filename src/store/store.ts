/**
 * Where usage records end up and are asked for: ClickHouse, in this process or over HTTP. One contract, one file per
 * implementation (`embedded.ts`, `remote.ts`), one suite over both (`store.test.ts`).
 */

import type { MetricRows } from "../model/metric-rows.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import type { PartPressure } from "./part-pressure.ts";
import type { RepriceAudit } from "./reprices.ts";

/** The name of the one shard where rows are in one place; the first of several has it, too. */
export const onlyShard = "1";

/** A planned batch: the same token always comes with the same records in the same order. */
export interface Batch {
  /** Deduplication token and the `batch` column of every row; unique per log and range of offsets. */
  readonly token: string;
  readonly records: readonly UsageRecord[];
  /** Where they go; by default the first. A repeat names the same. */
  readonly shard?: string;
}

/** Limits of one question, enforced by the engine. */
export interface QueryLimits {
  readonly seconds: number;
  readonly rows: number;
  readonly memoryBytes: number;
}

/** A user's question: its limits, and how its answer is wanted. */
export interface AskOptions extends QueryLimits {
  /** Settings that shape the answer, from an allow-list: they are not checked here. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Ends the work in the engine, soon after nobody waits for the answer any more. */
  readonly signal?: AbortSignal;
}

export interface QueryOptions {
  /** Values of `{name:Type}` parameters. */
  readonly params?: Readonly<Record<string, string | number | readonly string[]>>;
  readonly limits?: QueryLimits;
}

export interface Store {
  /** Names of the shards that batches are spread over, in the order of the configuration; one where rows are in one place. */
  readonly shards: readonly string[];
  /** Creates or upgrades the schema. Repeating it changes nothing. Resolves with the names of the migrations applied now. */
  migrate(): Promise<readonly string[]>;
  /** Names of the migrations that `migrate` would apply. @throws Error where it would refuse the tables. */
  missingMigrations(): Promise<readonly string[]>;
  /**
   * Stores a batch and its rollups. Repeating a batch with the same token within the deduplication window changes
   * nothing. Resolves when the parts are on disk. A batch may touch at most 20 day partitions.
   */
  insert(batch: Batch): Promise<void>;
  /** Stores what is kept of metrics. Rows of the same series and time replace each other. Resolves when they are on disk. */
  insertMetrics(rows: MetricRows): Promise<void>;
  /** Rows of that batch in the table of its shard, by UTC day: the check for a plan that may be older than the window. */
  batchDays(token: string, days: readonly string[], shard?: string): Promise<ReadonlyMap<string, number>>;
  /**
   * Compares the rollups of these UTC days with their base and makes anew those that differ; nothing may be inserted
   * meanwhile. Sealed days, and days whose raw rows have begun to expire, are left alone. @returns what was made anew.
   */
  repairRollups(days: readonly string[]): Promise<readonly string[]>;
  /** UTC days whose sums are sealed: their rollups agreed with their records, and nothing was inserted since. */
  sealedDays(): Promise<readonly string[]>;
  /** Repairs and seals every day before `before` that is not sealed; nothing may be inserted meanwhile. @returns them. */
  sealDays(before: string): Promise<readonly string[]>;
  /** Opens sealed days for late records; durable when it resolves. */
  openDays(days: readonly string[]): Promise<void>;
  /** Sealed days whose rollup no longer holds what was sealed. */
  brokenSeals(): Promise<readonly string[]>;
  /** Writes the audit row of a finished re-pricing; repeating it changes nothing. Durable when it resolves. */
  recordReprice(audit: RepriceAudit): Promise<void>;
  /**
   * One trusted read, rows as objects; 64-bit integers and decimals arrive as strings. Runs beside inserts. The SQL has
   * no FORMAT and no closing SETTINGS of its own: limits are given in `options`.
   */
  query<Row>(sql: string, options?: QueryOptions): Promise<readonly Row[]>;
  /** One read of a user's SQL that has passed the gate, answered in the named ClickHouse format, read-only and limited. */
  queryText(sql: string, format: string, options: AskOptions): Promise<Uint8Array>;
  /**
   * The same for one SELECT in a format without head or foot (JSONEachRow, CSV, TSV, Native ...), piece by piece: the next
   * piece is made when `take` has resolved for the one before, and none after it has rejected.
   */
  streamText(
    sql: string,
    format: string,
    options: AskOptions,
    take: (piece: Uint8Array) => Promise<void>,
  ): Promise<void>;
  /** The same of every shard itself, rows of all of them: what was inserted before is seen, whoever inserted it. */
  queryShards<Row>(sql: string, options?: QueryOptions): Promise<readonly Row[]>;
  /** How long the engine of that shard has been up: nobody can have inserted anything before. */
  uptimeMs(shard?: string): Promise<number>;
  /** How close that shard is to having too many parts. Cheap; a shard that does not answer rejects within seconds. */
  partPressure(shard?: string): Promise<PartPressure>;
  /** `embedded 26.7.2` or `http://host:8123 26.7`. */
  describe(): Promise<string>;
  /** Why the server takes a user no more, whom it took before, in one line; null, or not there, while it takes him. */
  refusal?(): string | null;
  /** Waits for running work, then releases the engine. Call it before the process exits: the engine crashes otherwise. */
  close(): Promise<void>;
}

/** The server does not take who comes, until somebody corrects or renews what he comes with. */
export class StoreRefusal extends Error {
  override name = "StoreRefusal";
}
