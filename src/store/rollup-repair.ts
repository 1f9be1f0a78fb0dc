/**
 * Rollups that agree with their base again. An insert commits base and rollups one after the other, so a kill between
 * them leaves a rollup short; repeating the batch heals nearly all of it (measured: 74 of 75 kills), this the rest.
 */

import type { SchemaConnection } from "./migrations.ts";
import { type Retention, type Rollup, rollup1d, rollup15m, rollupSums, selectRollup } from "./schema.ts";
import { sealDay, sealedDays, unsealedDays } from "./seals.ts";

/**
 * Compares each day's sums and makes those rollups anew that differ. Nothing may be inserted meanwhile. Sealed days, and days
 * whose raw rows have begun to expire, are left alone: their rollups are all that is left of them.
 * @param days UTC days, `2026-01-31`.
 * @returns the rollups and days made anew.
 */
export async function repairRollups(
  connection: SchemaConnection,
  days: readonly string[],
  { rawRetentionDays }: Pick<Retention, "rawRetentionDays">,
): Promise<readonly string[]> {
  const sealed = new Set(await sealedDays(connection));
  const repaired: string[] = [];
  for (const day of days) {
    if (sealed.has(day)) continue;
    if (!(await isComplete(connection, day, rawRetentionDays))) continue;
    const base = await sums(connection, `(SELECT ${baseSums()} FROM usage_records AS r WHERE toDate(r.ts) = '${day}')`);
    for (const rollup of [rollup15m, rollup1d]) {
      const kept = await sums(
        connection,
        `(SELECT ${keptSums()} FROM ${rollup.table} WHERE toDate(${rollup.time}) = '${day}')`,
      );
      if (kept === base) continue;
      await rebuild(connection, rollup, day);
      repaired.push(`${rollup.table} ${day}`);
    }
  }
  return repaired;
}

/**
 * Seals every day before `before` that has records and no seal, repaired first where it must be.
 * @returns the days sealed now.
 */
export async function sealDays(
  connection: SchemaConnection,
  before: string,
  retention: Retention,
): Promise<readonly string[]> {
  const days = await unsealedDays(connection, before);
  await repairRollups(connection, days, retention);
  for (const day of days) await sealDay(connection, day);
  return days;
}

function baseSums(): string {
  return rollupSums.map(({ name, of }) => `${of} AS ${name}`).join(", ");
}

function keptSums(): string {
  return rollupSums.map(({ name }) => `sum(${name}) AS ${name}`).join(", ");
}

async function sums(connection: SchemaConnection, source: string): Promise<string> {
  const [row] = await connection.query<{ text: string }>(
    `SELECT concat(${rollupSums.map(({ name }) => `toString(${name}), ' '`).join(", ")}) AS text FROM ${source}`,
  );
  return row?.text ?? "";
}

async function isComplete(connection: SchemaConnection, day: string, rawRetentionDays: number): Promise<boolean> {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(day)) throw new Error(`"${day}" is no day`);
  const [row] = await connection.query<{ complete: number }>(
    `SELECT toUInt8(toDate('${day}') + INTERVAL ${rawRetentionDays} DAY > today() + 1) AS complete`,
  );
  return Number(row?.complete) === 1;
}

/** A kill between the two statements leaves the day empty, which the next comparison sees. */
async function rebuild(connection: SchemaConnection, rollup: Rollup, day: string): Promise<void> {
  await connection.command(
    `ALTER TABLE ${rollup.table} DELETE WHERE toDate(${rollup.time}) = '${day}' SETTINGS mutations_sync = 2`,
  );
  // Not a repeat, whatever it looks like: the rows may equal those that were just deleted.
  await connection.command(
    `INSERT INTO ${rollup.table} ${selectRollup(rollup, `toDate(r.ts) = '${day}'`)} SETTINGS insert_deduplicate = 0, async_insert = 0`,
  );
}
