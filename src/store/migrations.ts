/**
 * Numbered upgrades of the schema, recorded in `schema_migrations`. Every statement may be repeated, and a migration is
 * recorded after its last statement: one that was killed halfway runs again from its start.
 */

import { costParts } from "./cost-split.ts";
import { createMetricTables } from "./metric-tables.ts";
import { createReprices } from "./reprices.ts";
import {
  createRollup,
  createRollupFill,
  createUsageRecords,
  expiry,
  laterColumns,
  type Retention,
  type Rollup,
  rollup1d,
  rollup15m,
  rollupColumn,
  rollupSums,
} from "./schema.ts";
import { editedTables, foreignTable, shapesIn, shapesOf } from "./schema-check.ts";
import { createSeals } from "./seals.ts";
import { createRollupViews, createUsageView } from "./views.ts";

/** What a migration needs of an engine: statements in order, each finished before the next. */
export interface SchemaConnection {
  command(sql: string): Promise<void>;
  query<Row>(sql: string): Promise<readonly Row[]>;
}

interface Migration {
  readonly version: number;
  readonly name: string;
  readonly statements: (retention: Retention) => readonly string[];
}

const migrations: readonly Migration[] = [
  { version: 1, name: "usage_records", statements: (retention) => [createUsageRecords(retention)] },
  { version: 2, name: "usage_rollup_15m", statements: (retention) => rollupStatements(rollup15m, retention) },
  { version: 3, name: "usage_rollup_1d", statements: (retention) => rollupStatements(rollup1d, retention) },
  { version: 4, name: "usage_views", statements: () => [createUsageView, ...createRollupViews] },
  { version: 5, name: "sealed_days", statements: () => [createSeals] },
  { version: 6, name: "cost_split", statements: addCostSplit },
  { version: 7, name: "reprices", statements: () => [createReprices] },
  { version: 8, name: "metrics", statements: createMetricTables },
  { version: 9, name: "instances_modalities", statements: () => [addLaterColumns(), createUsageView] },
  { version: 10, name: "prompt_hash", statements: () => [addLaterColumns(), createUsageView] },
];

function rollupStatements(rollup: Rollup, retention: Retention): readonly string[] {
  return [createRollup(rollup, retention), createRollupFill(rollup)];
}

function addColumns(table: string, columns: readonly string[]): string {
  return `ALTER TABLE ${table} ${columns.map((column) => `ADD COLUMN IF NOT EXISTS ${column}`).join(", ")}`;
}

/** All of them each time: the views that a migration makes are those of today, and name them all. */
function addLaterColumns(): string {
  return addColumns(
    "usage_records",
    laterColumns.map(({ name, type }) => `${name} ${type} CODEC(ZSTD(1))`),
  );
}

/** Records of before have no rates: all of their cost is `other` until they are re-priced. */
function addCostSplit(): readonly string[] {
  const parts = rollupSums.filter(({ name }) => costParts.some((part) => part.name === name)).map(rollupColumn);
  return [
    addLaterColumns(),
    ...[rollup15m, rollup1d].flatMap((rollup) => [
      addColumns(rollup.table, parts),
      `DROP VIEW IF EXISTS ${rollup.table}_fill`,
      createRollupFill(rollup),
    ]),
    createUsageView,
    ...createRollupViews,
  ];
}

const createMigrations = `CREATE TABLE IF NOT EXISTS schema_migrations (
  version UInt32, name String, applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = MergeTree ORDER BY version SETTINGS fsync_after_insert = 1, fsync_part_directory = 1`;

/** All statements of an empty database, in order; the migrations they stand for are recorded by the last one. */
export function schemaStatements(retention: Retention): readonly string[] {
  const record = migrations.map(({ version, name }) => `(${version}, '${name}')`).join(", ");
  return [
    createMigrations,
    ...migrations.flatMap(({ statements }) => statements(retention)),
    `INSERT INTO schema_migrations (version, name) SETTINGS async_insert = 0 VALUES ${record}`,
  ];
}

/**
 * Brings the schema and the retention to what this version wants; the names of the migrations applied now.
 * @throws Error with one plain line when the schema was written by a newer version, when a table is somebody else's, or
 * when one of ours was changed by hand.
 */
export async function migrateSchema(connection: SchemaConnection, retention: Retention): Promise<readonly string[]> {
  const applied = await appliedMigrations(connection, retention);
  const names: string[] = [];
  for (const migration of migrations) {
    if (applied.has(migration.version)) continue;
    for (const statement of migration.statements(retention)) await connection.command(statement);
    const { version, name } = migration;
    await connection.command(
      `INSERT INTO schema_migrations (version, name) SETTINGS async_insert = 0 VALUES (${version}, '${name}')`,
    );
    names.push(name);
  }
  const [edited] = await editedTables(connection, tablesOf(retention));
  if (edited !== undefined) throw new Error(`${edited}: ${mendEdited}`);
  await applyRetention(connection, retention);
  return names;
}

/** Names of the migrations that are not recorded yet. @throws Error as `migrateSchema` would. */
export async function missingMigrations(
  connection: SchemaConnection,
  retention: Retention,
): Promise<readonly string[]> {
  const applied = await appliedMigrations(connection, retention);
  return migrations.filter(({ version }) => !applied.has(version)).map(({ name }) => name);
}

const mendEdited = "it was changed by hand; change it back, or choose another clickhouse.database";

/** The migrations that are done, none of which is another's. */
async function appliedMigrations(connection: SchemaConnection, retention: Retention): Promise<ReadonlySet<number>> {
  // Other tools keep a table of this name, too.
  const foreign = await foreignTable(connection, shapesOf([createMigrations]));
  if (foreign !== undefined) throw new Error(foreign);
  if ((await shapesIn(connection, shapesOf([createMigrations]))).length === 0)
    await connection.command(createMigrations);
  const rows = await connection.query<{ version: number; name: string }>(
    "SELECT version, max(name) AS name FROM schema_migrations GROUP BY version ORDER BY version",
  );
  const newest = Math.max(0, ...rows.map(({ version }) => version));
  if (newest > migrations.length)
    throw new Error(
      `the tables are at schema version ${newest} and this Burnwatch knows ${migrations.length}: start the newer version`,
    );
  for (const { version, name } of rows) {
    const ours = migrations[version - 1]?.name;
    if (ours !== name)
      throw new Error(
        `schema version ${version} is recorded as ${name}, expected ${ours}: another edition of Burnwatch has made these tables; start that one, or choose another clickhouse.database`,
      );
  }
  const applied = new Set(rows.map(({ version }) => version));
  const missing = migrations.filter(({ version }) => !applied.has(version));
  const stranger = await foreignTable(connection, shapesOf(missing.flatMap(({ statements }) => statements(retention))));
  if (stranger !== undefined) throw new Error(stranger);
  return applied;
}

/** What a database that is not to be changed lacks or has changed, a line each; none where it is as it should be. */
export async function schemaFaults(connection: Pick<SchemaConnection, "query">): Promise<readonly string[]> {
  return editedTables(connection, tablesOf({ rawRetentionDays: 1, rollupRetentionMonths: 1 }));
}

function tablesOf(retention: Retention) {
  return shapesOf([createMigrations, ...migrations.flatMap(({ statements }) => statements(retention))]);
}

/**
 * Changes the tables' TTL and disks where the configuration has changed since. Parts are moved and dropped later, when
 * merges look at them. A policy that is no longer configured stays: its disks hold rows.
 */
async function applyRetention(connection: SchemaConnection, retention: Retention): Promise<void> {
  const { rawRetentionDays, rollupRetentionMonths, coldStorage } = retention;
  const wanted = [
    ...["usage_records", "token_claims", "resource_points"].map((table) => ({
      table,
      ttl: expiry("ts", `toIntervalDay(${rawRetentionDays})`, coldStorage),
    })),
    ...[rollup15m, rollup1d].map(({ table, time }) => ({
      table,
      ttl: expiry(time, `toIntervalMonth(${rollupRetentionMonths})`, coldStorage),
    })),
  ];
  for (const { table, ttl } of wanted) {
    const rows = await connection.query<{ definition: string; policy: string }>(
      `SELECT engine_full AS definition, storage_policy AS policy FROM system.tables WHERE database = currentDatabase() AND name = '${table}'`,
    );
    if (coldStorage !== undefined && rows[0]?.policy !== coldStorage.policy)
      await connection.command(`ALTER TABLE ${table} MODIFY SETTING storage_policy = '${coldStorage.policy}'`);
    // As the engine writes it.
    const shown = ttl.replace(/INTERVAL (\d+) DAY/, "toIntervalDay($1)");
    if (rows[0]?.definition.includes(`TTL ${shown} SETTINGS`)) continue;
    await connection.command(`ALTER TABLE ${table} MODIFY TTL ${ttl} SETTINGS materialize_ttl_after_modify = 0`);
  }
}
