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
/** Records of one answer: below what the server lets one statement have. */
const recordsPerAnswer = 500_000;
const usPerMinute = 60_000_000;
const timeoutMs = 600_000;

/** Values as any column of `storedColumns` may have them. */
const rowSchema = z.record(z.string(), z.union([z.string(), z.number(), z.array(z.string()), z.null()]));

const minuteSchema = z.object({ minute: z.coerce.number(), records: z.coerce.number() });

const endUs = "(toUnixTimestamp64Micro(ts) + duration_us)";
const minute = `intDiv(${endUs}, ${usPerMinute})`;

export interface StoredUsageOptions {
  readonly api: string | undefined;
  /** `24h`, `7d`, or a date that ClickHouse can parse. */
  readonly since: string;
  readonly io: CommandIo;
}

/**
 * Every record as it stands now: what was corrected is there once, as it was corrected to.
 * @throws ApiError when the server does not answer, UsageError when there is too much to read.
 */
export async function storedUsage({ api, since, io }: StoredUsageOptions): Promise<readonly UsageRecord[]> {
  const client = createApiClient({ api, env: io.env, signal: io.signal });
  const after = `ts >= ${sinceSql(since)}`;
  const lines = async (query: string, take: (line: unknown) => void) => {
    const body = { query, format: "JSONEachRow" };
    const response = await client.raw({ method: "POST", path: "sql", body, timeoutMs });
    if (response.body === null) return;
    for await (const line of createInterface({ input: Readable.fromWeb(response.body), crlfDelay: Infinity })) {
      if (line !== "") take(JSON.parse(line));
    }
  };
  const minutes: z.infer<typeof minuteSchema>[] = [];
  await lines(
    `SELECT ${minute} AS minute, count() AS records FROM usage_records WHERE ${after} GROUP BY minute ORDER BY minute`,
    (line) => minutes.push(minuteSchema.parse(line)),
  );
  if (minutes.reduce((sum, { records }) => sum + records, 0) > recordsMax)
    throw new UsageError(`--since ${since}: more than ${recordsMax} records; say less`);
  const records: UsageRecord[] = [];
  for (const [from, until] of answersOf(minutes)) {
    await lines(
      `SELECT ${storedColumns} FROM usage_records
WHERE ${after} AND ${minute} >= ${from} AND ${minute} <= ${until} ORDER BY ${endUs}, trace_id, span_id, revision, calls`,
      (line) => records.push(recordOfRow(rowSchema.parse(line))),
    );
  }
  return withoutTakenBack(records);
}

/** First and last minute of each answer: as many minutes as one answer may hold, one at least. */
function answersOf(minutes: readonly z.infer<typeof minuteSchema>[]): readonly (readonly [number, number])[] {
  const answers: { from: number; until: number; records: number }[] = [];
  for (const { minute, records } of minutes) {
    const last = answers.at(-1);
    if (last === undefined || last.records + records > recordsPerAnswer)
      answers.push({ from: minute, until: minute, records });
    else Object.assign(last, { until: minute, records: last.records + records });
  }
  return answers.map(({ from, until }) => [from, until]);
}

/** A correction takes a record back and may bill it anew: of such a record the last is left, or none. */
function withoutTakenBack(records: readonly UsageRecord[]): readonly UsageRecord[] {
  const identity = ({ tenant, traceId, spanId }: UsageRecord) => `${tenant}\n${traceId}\n${spanId}`;
  const takenBack = new Map<string, number>();
  for (const record of records) {
    if (record.calls < 0) takenBack.set(identity(record), (takenBack.get(identity(record)) ?? 0) + 1);
  }
  if (takenBack.size === 0) return records;
  return records.filter((record) => {
    const left = takenBack.get(identity(record));
    if (left === undefined) return true;
    if (record.calls > 0 && left > 0) takenBack.set(identity(record), left - 1);
    return record.calls > 0 && left === 0;
  });
}

function sinceSql(since: string): string {
  const span = /^(\d{1,6})([mhd])$/.exec(since);
  const units: Readonly<Record<string, string>> = { m: "MINUTE", h: "HOUR", d: "DAY" };
  if (span !== null) return `now() - INTERVAL ${span[1]} ${units[span[2] ?? "h"]}`;
  const at = Date.parse(since);
  if (Number.isNaN(at)) throw new UsageError(`--since ${since}: expected 24h, 7d or a date`);
  return `fromUnixTimestamp64Milli(${at})`;
}
