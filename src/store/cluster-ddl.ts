/**
 * The tables of one server as those of a ClickHouse cluster: every statement on all of its servers, every table
 * replicated, and beside them a database of Distributed tables and the same views, which sees the rows of all shards.
 * Only questions go through Distributed tables: an insert through them would be acknowledged before it is stored.
 */

import { createResourceMetricsView } from "./metric-tables.ts";
import { type SchemaConnection, schemaStatements } from "./migrations.ts";
import type { Retention } from "./schema.ts";
import { createRollupViews, createUsageView } from "./views.ts";

/** Where tables are: a cluster of `remote_servers`, and the database of a shard's rows. */
export interface ClusterPlace {
  readonly cluster: string;
  readonly database: string;
}

/** Tables that questions may name. */
const readTables = [
  "usage_records",
  "usage_rollup_15m",
  "usage_rollup_1d",
  "token_claims",
  "resource_points",
  "reprices",
] as const;
const readViews = [createUsageView, ...createRollupViews, createResourceMetricsView];

/** The database that sees all shards. */
export function readDatabase(database: string): string {
  return `${database}_all`;
}

/**
 * A statement of the migrations for all servers of a cluster; null for one that a cluster does not need: it drops what
 * only tables of before version 10 have, and clusters came with it.
 */
export function clusterStatement(sql: string, { cluster, database }: ClusterPlace): string | null {
  if (sql.startsWith("DROP VIEW ")) return null;
  const on = ` ON CLUSTER '${cluster}'`;
  const [head, verb, name] =
    /^(CREATE TABLE IF NOT EXISTS|CREATE MATERIALIZED VIEW IF NOT EXISTS|CREATE OR REPLACE VIEW|ALTER TABLE) (\w+)/.exec(
      sql,
    ) ?? [];
  // Rows are written where the connection leads to.
  if (head === undefined) return sql.replace(/^INSERT INTO (\w+)/, `INSERT INTO ${database}.$1`);
  const rest = sql
    .slice(head.length)
    .replace(/^ TO (\w+)/, ` TO ${database}.$1`)
    .replace(/\bFROM (\w+) AS ([rp])\b/, `FROM ${database}.$1 AS $2`)
    .replace(
      /\bENGINE = (\w*MergeTree)\b/,
      `ENGINE = Replicated$1('/clickhouse/tables/{shard}/${database}/${name}', '{replica}')`,
    )
    .replace(/\bnon_replicated_deduplication_window = \d+/, replicatedWindow);
  return `${verb} ${database}.${name}${on}${rest}`;
}

/**
 * The engine's default ends after an hour. Seven days outlast what the usage topic keeps (five); its count is that of
 * tables that are not replicated, and a plan that may be older than either is looked up before it is repeated.
 */
const replicatedWindow = "replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800";

/** What makes the database that sees all shards. Repeating it changes nothing; tables follow those of the shards. */
export function readingStatements({ cluster, database }: ClusterPlace): readonly string[] {
  const all = readDatabase(database);
  const on = `ON CLUSTER '${cluster}'`;
  return [
    `CREATE DATABASE IF NOT EXISTS ${all} ${on}`,
    ...readTables.map(
      (table) =>
        `CREATE OR REPLACE TABLE ${all}.${table} ${on} AS ${database}.${table}
ENGINE = Distributed('${cluster}', '${database}', '${table}')`,
    ),
    ...readViews.flatMap((view) => clusterStatement(view, { cluster, database: all }) ?? []),
  ];
}

/** True where the database that sees all shards has not every column that this shard has. */
export async function readingLags(connection: Pick<SchemaConnection, "query">, database: string): Promise<boolean> {
  const names = [...readTables, ...readViews.map((view) => /VIEW (\w+)/.exec(view)?.[1])].map((name) => `'${name}'`);
  const columns = (of: string) =>
    `SELECT table, name, type FROM system.columns WHERE database = '${of}' AND table IN (${names.join(", ")})`;
  const rows = await connection.query(
    `SELECT * FROM (${columns(database)} EXCEPT ${columns(readDatabase(database))}) LIMIT 1`,
  );
  return rows.length > 0;
}

/** The same as a script, with what an operator must know at its head. */
export function clusterScript(place: ClusterPlace, retention: Retention): string {
  const { cluster, database } = place;
  const head = `-- The tables of Burnwatch on the ClickHouse cluster "${cluster}": what a writer makes at its first start with
-- clickhouse.cluster: ${cluster}, and \`burnwatch migrate\` without one. By hand: clickhouse-client --multiquery < THIS FILE on any
-- server, then the statement that begins with INSERT on one server of every other shard.
-- Every server needs the macros {shard} (the same on all replicas of a shard) and {replica} (its own), and ${cluster} in remote_servers
-- with internal_replication. Rows are in ${database}; ${readDatabase(database)} reads all shards.
-- Made by: burnwatch migrate --print
`;
  return `${head}\n${clusterSchema(place, retention).join(";\n\n")};\n`;
}

/** All statements of a cluster that has nothing yet, in order, for an operator to look at or to apply. */
export function clusterSchema(place: ClusterPlace, retention: Retention): readonly string[] {
  const { cluster, database } = place;
  // Migrations make tables as they are today, and repeat what a table of before lacks.
  const statements = new Set(schemaStatements(retention).filter((sql) => !sql.startsWith("ALTER TABLE ")));
  const made = [...statements].flatMap((sql) => clusterStatement(sql, place) ?? []);
  return [`CREATE DATABASE IF NOT EXISTS ${database} ON CLUSTER '${cluster}'`, ...made, ...readingStatements(place)];
}
