/**
 * Usage records over several ClickHouse servers: each batch goes to one shard, by its own connection, and is asked for
 * there when it is repeated. Questions of people and reports go through the Distributed tables of a ClickHouse cluster;
 * without one, only what every shard can be asked by itself is answered.
 */

import type { MetricRows } from "../model/metric-rows.ts";
import { isUnreachable, lacksReading, makeReading, prepareShard, type ShardAddress } from "./cluster-admin.ts";
import { type ClusterPlace, readDatabase } from "./cluster-ddl.ts";
import type { PartPressure } from "./part-pressure.ts";
import { type RemoteStore, remoteStore } from "./remote.ts";
import type { RemoteStoreOptions } from "./remote-servers.ts";
import type { RepriceAudit } from "./reprices.ts";
import type { AskOptions, Batch, QueryOptions, Store } from "./store.ts";

export interface ShardedStoreOptions extends Omit<RemoteStoreOptions, "url" | "otherUrls" | "cluster"> {
  /** The replicas of each shard, in the order of the shards. */
  readonly shards: readonly (readonly string[])[];
  /** A cluster of `remote_servers` with the same shards in the same order; null where there is none. */
  readonly cluster: string | null;
}

/** Opens nothing yet: a shard that does not answer keeps nobody else from working. */
export function openShardedStore(options: ShardedStoreOptions): Store {
  return new ShardedStore(options);
}

class ShardedStore implements Store {
  readonly shards: readonly string[];
  readonly #options: ShardedStoreOptions;
  readonly #database: string;
  readonly #stores: ReadonlyMap<string, RemoteStore>;
  readonly #first: RemoteStore;
  /** Sees all shards, from whichever server answers. */
  readonly #reading: RemoteStore | null;
  /** Shards whose tables are known to be as they should be. */
  readonly #checked = new Set<string>();

  constructor(options: ShardedStoreOptions) {
    const { shards, cluster, ...shared } = options;
    this.#options = options;
    this.#database = options.database ?? "burnwatch";
    const replicated = cluster === null ? {} : { cluster };
    const stores = shards.map(([url = "", ...otherUrls], index) => {
      return [String(index + 1), remoteStore({ ...shared, ...replicated, url, otherUrls })] as const;
    });
    const [first] = stores;
    if (first === undefined) throw new Error("clickhouse.shards: one is needed at least");
    this.#first = first[1];
    this.#stores = new Map(stores);
    this.shards = [...this.#stores.keys()];
    const [url = "", ...otherUrls] = shards.flat();
    this.#reading =
      cluster === null ? null : remoteStore({ ...shared, url, otherUrls, database: readDatabase(this.#database) });
  }

  /**
   * Every shard that answers, one after the other. A shard that does not is brought up to date by whoever starts when it
   * does; nothing is inserted into it before.
   */
  async migrate(): Promise<readonly string[]> {
    const names = new Set<string>();
    const away: Error[] = [];
    for (const [shard, store] of this.#stores) {
      try {
        await prepareShard(this.#address(shard));
        for (const name of await store.migrate()) names.add(name);
        if (await this.#lacksReading(shard)) {
          await makeReading(this.#address(shard), this.#place());
          names.add("all_shards");
        }
        this.#checked.add(shard);
      } catch (error) {
        if (!isUnreachable(error)) throw new Error(`shard ${shard}: ${(error as Error).message}`, { cause: error });
        away.push(error as Error);
      }
    }
    if (away.length === this.#stores.size) throw new Error(`no shard of ClickHouse answers: ${away[0]?.message}`);
    return [...names];
  }

  async missingMigrations(): Promise<readonly string[]> {
    const missing = new Set<string>();
    for (const [shard, store] of this.#stores) {
      try {
        await prepareShard(this.#address(shard));
        for (const name of await store.missingMigrations()) missing.add(name);
        if (await this.#lacksReading(shard)) missing.add("all_shards");
      } catch (error) {
        if (!isUnreachable(error)) throw error;
      }
    }
    return [...missing];
  }

  async insert(batch: Batch): Promise<void> {
    const [shard, store] = this.#shardOf(batch.shard);
    await this.#check(shard, store);
    return store.insert(batch);
  }

  insertMetrics(rows: MetricRows): Promise<void> {
    // Rows of one series replace each other where they are: all of them stay together.
    return this.#first.insertMetrics(rows);
  }

  batchDays(token: string, days: readonly string[], shard?: string): Promise<ReadonlyMap<string, number>> {
    return this.#shardOf(shard)[1].batchDays(token, days);
  }

  uptimeMs(shard?: string): Promise<number> {
    return this.#shardOf(shard)[1].uptimeMs();
  }

  partPressure(shard?: string): Promise<PartPressure> {
    return this.#shardOf(shard)[1].partPressure();
  }

  async queryShards<Row>(sql: string, options: QueryOptions = {}): Promise<readonly Row[]> {
    const answers = [...this.#stores.values()].map((store) => store.queryShards<Row>(sql, options));
    return (await Promise.all(answers)).flat();
  }

  // Several writers compare, repair and seal nothing: that needs tables that stand still.
  repairRollups(): Promise<readonly string[]> {
    return Promise.resolve([]);
  }

  sealedDays(): Promise<readonly string[]> {
    return Promise.resolve([]);
  }

  sealDays(): Promise<readonly string[]> {
    return Promise.resolve([]);
  }

  openDays(): Promise<void> {
    return Promise.resolve();
  }

  brokenSeals(): Promise<readonly string[]> {
    return Promise.resolve([]);
  }

  recordReprice(audit: RepriceAudit): Promise<void> {
    return this.#first.recordReprice(audit);
  }

  query<Row>(sql: string, options: QueryOptions = {}): Promise<readonly Row[]> {
    return this.#everywhere((reading) => reading.query<Row>(sql, options));
  }

  queryText(sql: string, format: string, options: AskOptions): Promise<Uint8Array> {
    return this.#everywhere((reading) => reading.queryText(sql, format, options));
  }

  streamText(
    sql: string,
    format: string,
    options: AskOptions,
    take: (piece: Uint8Array) => Promise<void>,
  ): Promise<void> {
    return this.#everywhere((reading) => reading.streamText(sql, format, options, take));
  }

  async describe(): Promise<string> {
    const said = await Promise.all(
      Array.from(this.#stores, async ([shard, store]) => {
        const text = await store.describe().catch((error: Error) => `does not answer: ${error.message}`);
        return `shard ${shard}: ${text}`;
      }),
    );
    return said.join("; ");
  }

  refusal(): string | null {
    const all = [...this.#stores.values(), this.#reading];
    return all.map((store) => store?.refusal() ?? null).find((line) => line !== null) ?? null;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#stores.values(), this.#reading].map((store) => store?.close()));
  }

  #everywhere<Result>(ask: (reading: RemoteStore) => Promise<Result>): Promise<Result> {
    if (this.#reading === null)
      return Promise.reject(
        new Error("several shards are read through a cluster of ClickHouse's own: name it with clickhouse.cluster"),
      );
    return ask(this.#reading);
  }

  #shardOf(shard = this.shards[0] ?? ""): readonly [string, RemoteStore] {
    const store = this.#stores.get(shard);
    if (store === undefined) throw new Error(`there is no shard ${shard}, only ${this.shards.join(", ")}`);
    return [shard, store];
  }

  #place(): ClusterPlace {
    return { cluster: this.#options.cluster ?? "", database: this.#database };
  }

  async #lacksReading(shard: string): Promise<boolean> {
    return this.#options.cluster !== null && (await lacksReading(this.#address(shard), this.#place()));
  }

  /** Once for each shard: that its tables are there. */
  async #check(shard: string, store: RemoteStore): Promise<void> {
    if (this.#checked.has(shard)) return;
    await prepareShard(this.#address(shard));
    const missing = await store.missingMigrations();
    if (missing.length > 0)
      throw new Error(`the tables of shard ${shard} are not made yet: start a writer anew, or run burnwatch migrate`);
    this.#checked.add(shard);
  }

  #address(shard: string): ShardAddress {
    const { shards, cluster, username = "default", password = "" } = this.#options;
    const urls = shards[Number(shard) - 1] ?? [];
    return { shard, shards: shards.length, urls, database: this.#database, cluster, username, password };
  }
}
