/** What is done to a shard before its tables: is it the one that is meant, has it the database, do all see it. */

import { type ClickHouseClient, ClickHouseLogLevel, createClient } from "@clickhouse/client";
import { type ClusterPlace, readingLags, readingStatements } from "./cluster-ddl.ts";

/** A shard, its replicas, and who comes to it. */
export interface ShardAddress {
  /** Its place among the shards, from 1. */
  readonly shard: string;
  readonly shards: number;
  readonly urls: readonly string[];
  readonly database: string;
  readonly cluster: string | null;
  readonly username: string;
  readonly password: string;
}

const ddlTimeoutMs = 300_000;
/** Those that batches go to. */
const replicatedTables = ["usage_records", "usage_rollup_15m", "usage_rollup_1d"];

/**
 * Makes the database of the shard where it is missing.
 * @throws Error with one line where the shard is not the one that the ClickHouse cluster has at this place.
 */
export function prepareShard(address: ShardAddress): Promise<void> {
  return withAdmin(address, async (client, url) => {
    const { cluster, database } = address;
    if (cluster !== null) {
      const fault = placeFault(await clusterRows(client), { ...address, cluster, url });
      if (fault !== null) throw new Error(fault);
      const [plain] = await plainTables(client, database);
      if (plain !== undefined)
        throw new Error(
          `table ${database}.${plain} at ${url} is not replicated, since it was made without clickhouse.cluster: ATTACH TABLE ... AS REPLICATED, or choose another clickhouse.database`,
        );
    }
    if ((await ask(client, `SELECT 1 FROM system.databases WHERE name = '${database}'`)).length > 0) return;
    const on = cluster === null ? "" : ` ON CLUSTER '${cluster}'`;
    await client.command({ query: `CREATE DATABASE IF NOT EXISTS ${database}${on}` });
  });
}

/** Whether the database that sees all shards lacks something that this shard has. */
export function lacksReading(address: ShardAddress, place: ClusterPlace): Promise<boolean> {
  return withAdmin(address, (client) => readingLags({ query: (sql) => ask(client, sql) }, place.database));
}

/** Makes that database, on all servers. */
export function makeReading(address: ShardAddress, place: ClusterPlace): Promise<void> {
  return withAdmin(address, async (client) => {
    for (const query of readingStatements(place)) await client.command({ query });
  });
}

/** A server of a ClickHouse cluster, as `system.clusters` has it. */
export interface ClusterRow {
  readonly cluster: string;
  readonly shard_num: number;
  readonly is_local: number;
}

/** What a server knows of clusters. */
export function clusterRows(client: ClickHouseClient): Promise<readonly ClusterRow[]> {
  return ask(client, "SELECT cluster, toUInt32(shard_num) AS shard_num, is_local FROM system.clusters");
}

/** Tables of a shard that should be replicated and are not. */
export async function plainTables(client: ClickHouseClient, database: string): Promise<readonly string[]> {
  const rows = await ask<{ name: string }>(
    client,
    `SELECT name FROM system.tables WHERE database = '${database}' AND name IN (${replicatedTables.map((name) => `'${name}'`).join(", ")})
     AND engine LIKE '%MergeTree' AND NOT match(engine, '^(Replicated|Shared)') ORDER BY name`,
  );
  return rows.map(({ name }) => name);
}

/** What is wrong with the place of a server in its cluster, as one line with what to do; null where nothing is. */
export function placeFault(
  rows: readonly ClusterRow[],
  { cluster, shard, shards, url }: { cluster: string; shard: string; shards: number; url: string },
): string | null {
  const own = rows.filter((row) => row.cluster === cluster);
  const known = [...new Set(rows.map((row) => row.cluster))].join(", ");
  if (own.length === 0)
    return `ClickHouse at ${url} knows no cluster "${cluster}" (it knows ${known === "" ? "none" : known}): correct clickhouse.cluster, or define it under remote_servers on every server`;
  const count = new Set(own.map((row) => row.shard_num)).size;
  if (count !== shards)
    return `cluster "${cluster}" of ClickHouse at ${url} has ${count} shards, and clickhouse.shards has ${shards}: name each shard once in both`;
  const local = own.find((row) => row.is_local === 1);
  if (local !== undefined && String(local.shard_num) !== shard)
    return `ClickHouse at ${url} is shard ${local.shard_num} of cluster "${cluster}", and clickhouse.shards has it at place ${shard}: put them in the order of the cluster`;
  return null;
}

/** True where nobody answered: nothing is known of what was asked. */
export function isUnreachable(error: unknown): boolean {
  const { code = "", message = "" } = error as { readonly code?: string; readonly message?: string };
  return /^(?:ECONN|ETIMEDOUT|EHOST|ENET|ENOTFOUND|EAI_|EPIPE)/.test(code) || /timeout|socket hang up/i.test(message);
}

/** By the first replica that answers. */
async function withAdmin<Result>(
  { urls, username, password }: ShardAddress,
  work: (client: ClickHouseClient, url: string) => Promise<Result>,
): Promise<Result> {
  let last: unknown;
  for (const url of urls) {
    const log = { level: ClickHouseLogLevel.OFF };
    const client = createClient({ url, username, password, request_timeout: ddlTimeoutMs, log });
    try {
      return await work(client, url);
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      last = error;
    } finally {
      await client.close();
    }
  }
  throw last;
}

async function ask<Row>(client: ClickHouseClient, query: string): Promise<readonly Row[]> {
  const answer = await client.query({ query, format: "JSONEachRow" });
  return answer.json<Row>();
}
