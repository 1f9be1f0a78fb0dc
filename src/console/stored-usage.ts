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
  input_uncached_tokens: z.coerce.number(),
  cache_read_tokens: z.coerce.number(),
  cache_write_5m_tokens: z.coerce.number(),
  cache_write_1h_tokens: z.coerce.number(),
  output_visible_tokens: z.coerce.number(),
  reasoning_tokens: z.coerce.number(),
  calls: z.coerce.number(),
  cost_usd: z.string().nullable(),
  cost_status: z.string(),
  revision: z.coerce.number(),
  flags: z.array(z.string()),
});

type Row = z.infer<typeof rowSchema>;

export interface StoredUsageOptions {
  readonly api: string | undefined;
  /** `24h`, `7d`, or a date that ClickHouse can parse. */
  readonly since: string;
  readonly io: CommandIo;
}

/** @throws ApiError when the server does not answer, UsageError when there is too much to read. */
export async function storedUsage({ api, since, io }: StoredUsageOptions): Promise<readonly UsageRecord[]> {
  const client = createApiClient({ api, env: io.env, signal: io.signal });
  const columns = Object.keys(rowSchema.shape).filter((name) => name !== "end_us" && name !== "cost_usd");
  const query = `SELECT toUnixTimestamp64Micro(ts) + duration_us AS end_us, toString(cost_usd) AS cost_usd, ${columns.join(", ")}
FROM usage WHERE ts >= ${sinceSql(since)} ORDER BY end_us LIMIT ${recordsMax + 1}`;
  const response = await client.raw({ method: "POST", path: "sql", body: { query, format: "JSONEachRow" }, timeoutMs });
  const records: UsageRecord[] = [];
  if (response.body === null) return records;
  for await (const line of createInterface({ input: Readable.fromWeb(response.body), crlfDelay: Infinity })) {
    if (line !== "") records.push(recordOf(rowSchema.parse(JSON.parse(line))));
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
      input: row.input_uncached_tokens,
      cacheRead: row.cache_read_tokens,
      cacheWrite5m: row.cache_write_5m_tokens,
      cacheWrite1h: row.cache_write_1h_tokens,
      output: row.output_visible_tokens,
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
