/**
 * Seals: what a closed day held, written down once its rollups agree with its records. A sealed day is not compared
 * or made anew again, so retention, which takes the records and leaves the rollups, can never look like damage.
 */

import type { SchemaConnection } from "./migrations.ts";
import { type Retention, rollup15m, rollupSums } from "./schema.ts";

/** The newest row of a day counts; `open` is 1 while the day takes late records again. */
export const createSeals = `CREATE TABLE IF NOT EXISTS sealed_days (
  day Date, sealed_at DateTime64(3, 'UTC') DEFAULT now64(3), open UInt8, sums String
) ENGINE = MergeTree ORDER BY (day, sealed_at) SETTINGS fsync_after_insert = 1, fsync_part_directory = 1`;

const newestSeals = `SELECT day, argMax(open, sealed_at) AS open, argMax(sums, sealed_at) AS sums FROM sealed_days GROUP BY day`;

/** UTC days that are sealed. */
export async function sealedDays(connection: SchemaConnection): Promise<readonly string[]> {
  const rows = await connection.query<{ day: string }>(
    `SELECT toString(day) AS day FROM (${newestSeals}) WHERE open = 0`,
  );
  return rows.map(({ day }) => day);
}

/** UTC days before `before` that have records and no seal, oldest first. Asks for partitions, which costs no scan. */
export async function unsealedDays(connection: SchemaConnection, before: string): Promise<readonly string[]> {
  const rows = await connection.query<{ day: string }>(
    `SELECT DISTINCT partition AS day FROM system.parts
     WHERE database = currentDatabase() AND table = 'usage_records' AND active AND partition < '${before}'
       AND toDate(partition) NOT IN (SELECT day FROM (${newestSeals}) WHERE open = 0) ORDER BY day`,
  );
  return rows.map(({ day }) => day);
}

/** Seals a day with what its rollup holds. Call it once the rollup agrees with the records. */
export async function sealDay(connection: SchemaConnection, day: string): Promise<void> {
  await connection.command(
    `INSERT INTO sealed_days (day, open, sums) SELECT toDate('${day}'), 0, ${sumsText()} FROM ${rollup15m.table}
     WHERE toDate(slot) = '${day}' SETTINGS async_insert = 0`,
  );
}

/** Opens days for late records; durable before the records are. */
export async function openDays(connection: SchemaConnection, days: readonly string[]): Promise<void> {
  const rows = days.map((day) => `('${day}', 1, '')`).join(", ");
  await connection.command(`INSERT INTO sealed_days (day, open, sums) SETTINGS async_insert = 0 VALUES ${rows}`);
}

/**
 * Sealed days whose rollup should still be kept and no longer holds what was sealed: damage that no retention explains.
 * Sums that came with a later version stand behind those that a day was sealed with.
 */
export async function brokenSeals(
  connection: SchemaConnection,
  { rollupRetentionMonths }: Pick<Retention, "rollupRetentionMonths">,
): Promise<readonly string[]> {
  const rows = await connection.query<{ day: string }>(
    `SELECT toString(s.day) AS day FROM (${newestSeals}) AS s
     LEFT JOIN (SELECT toDate(slot) AS day, ${sumsText()} AS sums FROM ${rollup15m.table} GROUP BY day) AS r ON r.day = s.day
     WHERE s.open = 0 AND NOT startsWith(r.sums, s.sums) AND s.day > today() - INTERVAL ${rollupRetentionMonths} MONTH + 1 ORDER BY day`,
  );
  return rows.map(({ day }) => day);
}

function sumsText(): string {
  return `concat(${rollupSums.map(({ name }) => `toString(sum(${name})), ' '`).join(", ")})`;
}
