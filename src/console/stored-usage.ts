/** The records that a server has stored, as detectors read them: in the order of their ends. */

import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { z } from "zod";
import { parseUsd } from "../model/money.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import { createApiClient } from "./api-client.ts";
import type { CommandIo } from "./command.ts";
import { UsageError } from "./command.ts";

/** More than this does not fit into memory as objects. */
const recordsMax = 3_000_000;
/** Records of one answer: below what the server lets one statement have. */
const recordsPerAnswer = 500_000;
const usPerMinute = 60_000_000;
const timeoutMs = 600_000;

const rowSchema = z.object({
  end_us: z.coerce.number(),
  duration_us: z.coerce.number(),
  trace_id: z.string(),
  span_id: z.string(),
  parent_span_id: z.string(),
  tenant: z.string(),
  service: z.string(),
  environment: z.string(),
  feature: z.string(),
  user: z.string(),
  session: z.string(),
  agent: z.string(),
  run: z.string(),
  prompt_name: z.string(),
  prompt_version: z.string(),
  release: z.string(),
  operation: z.string(),
  provider: z.string(),
  model: z.string(),
  request_model: z.string(),
  response_id: z.string(),
  finish_reason: z.string(),
  status: z.enum(["ok", "error"]),
  error_type: z.string(),
  tool: z.string(),
  tool_args_hash: z.string(),
  outcome: z.string(),
  input_tokens: z.coerce.number(),
  cache_read_tokens: z.coerce.number(),
  cache_write_tokens: z.coerce.number(),
  output_tokens: z.coerce.number(),
  reasoning_tokens: z.coerce.number(),
  calls: z.coerce.number(),
  cost_usd: z.string().nullable(),
  cost_status: z.string(),
  revision: z.coerce.number(),
  flags: z.array(z.string()),
});

type Row = z.infer<typeof rowSchema>;

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
    `SELECT ${minute} AS minute, count() AS records FROM usage WHERE ${after} GROUP BY minute ORDER BY minute`,
    (line) => minutes.push(minuteSchema.parse(line)),
  );
  if (minutes.reduce((sum, { records }) => sum + records, 0) > recordsMax)
    throw new UsageError(`--since ${since}: more than ${recordsMax} records; say less`);
  const columns = Object.keys(rowSchema.shape).filter((name) => name !== "end_us" && name !== "cost_usd");
  const records: UsageRecord[] = [];
  for (const [from, until] of answersOf(minutes)) {
    await lines(
      `SELECT ${endUs} AS end_us, toString(cost_usd) AS cost_usd, ${columns.join(", ")}
FROM usage WHERE ${after} AND ${minute} >= ${from} AND ${minute} <= ${until} ORDER BY end_us, trace_id, span_id, revision, calls`,
      (line) => records.push(recordOf(rowSchema.parse(line))),
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

function recordOf(row: Row): UsageRecord {
  return {
    tenant: row.tenant,
    service: row.service,
    environment: row.environment,
    feature: row.feature,
    user: row.user,
    session: row.session,
    agent: row.agent,
    run: row.run,
    promptName: row.prompt_name,
    promptVersion: row.prompt_version,
    release: row.release,
    traceId: row.trace_id,
    spanId: row.span_id,
    parentSpanId: row.parent_span_id,
    startUs: row.end_us - row.duration_us,
    endUs: row.end_us,
    operation: row.operation as UsageRecord["operation"],
    provider: row.provider,
    model: row.model,
    requestModel: row.request_model,
    responseId: row.response_id,
    finishReason: row.finish_reason,
    status: row.status,
    errorType: row.error_type,
    tool: row.tool,
    toolArgsHash: row.tool_args_hash,
    outcome: row.outcome,
    usage: {
      input: row.input_tokens - row.cache_read_tokens - row.cache_write_tokens,
      cacheRead: row.cache_read_tokens,
      // The view adds the two lifetimes up, and no detector tells them apart.
      cacheWrite5m: row.cache_write_tokens,
      cacheWrite1h: 0,
      output: row.output_tokens - row.reasoning_tokens,
      reasoning: row.reasoning_tokens,
    },
    images: 0,
    audioMs: 0,
    serviceTier: "",
    calls: row.calls > 0 ? 1 : row.calls < 0 ? -1 : 0,
    costNanoUsd: row.cost_usd === null ? null : Number(parseUsd(row.cost_usd)),
    costStatus: row.cost_status as UsageRecord["costStatus"],
    priceTag: "",
    costCarry: 0,
    reportedNanoUsd: null,
    revision: row.revision,
    repricings: 0,
    flags: row.flags,
  };
}
