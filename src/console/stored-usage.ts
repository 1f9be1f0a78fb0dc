/** The records that a server has stored, as detectors read them: in the order of their ends. */

import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { z } from "zod";
import type { UsageRecord } from "../model/usage-record.ts";
import { recordOfRow, storedColumns } from "../store/stored-row.ts";
import { createApiClient } from "./api-client.ts";
import type { CommandIo } from "./command.ts";
import { UsageError } from "./command.ts";

/** More than this does not fit into memory as objects. */
const recordsMax = 3_000_000;
const timeoutMs = 600_000;

/** Values as any column of `storedColumns` may have them. */
const rowSchema = z.record(z.string(), z.union([z.string(), z.number(), z.array(z.string()), z.null()]));

export interface StoredUsageOptions {
  readonly api: string | undefined;
  /** `24h`, `7d`, or a date that ClickHouse can parse. */
  readonly since: string;
  readonly io: CommandIo;
}

/** @throws ApiError when the server does not answer, UsageError when there is too much to read. */
export async function storedUsage({ api, since, io }: StoredUsageOptions): Promise<readonly UsageRecord[]> {
  const client = createApiClient({ api, env: io.env, signal: io.signal });
  const query = `SELECT ${storedColumns} FROM usage_records
WHERE ts >= ${sinceSql(since)} ORDER BY start_us + duration_us LIMIT ${recordsMax + 1}`;
  const response = await client.raw({ method: "POST", path: "sql", body: { query, format: "JSONEachRow" }, timeoutMs });
  const records: UsageRecord[] = [];
  if (response.body === null) return records;
  for await (const line of createInterface({ input: Readable.fromWeb(response.body), crlfDelay: Infinity })) {
    if (line !== "") records.push(recordOfRow(rowSchema.parse(JSON.parse(line))));
    if (records.length > recordsMax)
      throw new UsageError(`--since ${since}: more than ${recordsMax} records; say less`);
  }
  return records;
}

function sinceSql(since: string): string {
  const span = /^(\d{1,6})([mhd])$/.exec(since);
  const units: Readonly<Record<string, string>> = { m: "MINUTE", h: "HOUR", d: "DAY" };
  if (span !== null) return `now() - INTERVAL ${span[1]} ${units[span[2] ?? "h"]}`;
  const at = Date.parse(since);
  if (Number.isNaN(at)) throw new UsageError(`--since ${since}: expected 24h, 7d or a date`);
  return `fromUnixTimestamp64Milli(${at})`;
}
