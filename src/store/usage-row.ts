/**
 * A usage record as one line of JSONCompactEachRow, the only text form that both the embedded engine and a server parse
 * off the event loop. Values are stored as the record holds them: a correction arrives with its amounts already negated.
 */

import { durationUs, type UsageRecord } from "../model/usage-record.ts";

/** Columns of `usage_records` in the order `encodeUsageRow` writes them. */
export const usageColumns = [
  "ts",
  "duration_us",
  "trace_id",
  "span_id",
  "parent_span_id",
  "tenant",
  "service",
  "environment",
  "feature",
  "user",
  "session",
  "agent",
  "run",
  "prompt_name",
  "prompt_version",
  "release",
  "operation",
  "provider",
  "model",
  "request_model",
  "response_id",
  "finish_reason",
  "status",
  "error_type",
  "tool",
  "tool_args_hash",
  "outcome",
  "input_uncached_tokens",
  "cache_read_tokens",
  "cache_write_5m_tokens",
  "cache_write_1h_tokens",
  "output_visible_tokens",
  "reasoning_tokens",
  "calls",
  "unpriced_calls",
  "cost_usd",
  "cost_status",
  "cost_reported_usd",
  "revision",
  "flags",
  "batch",
] as const;

/**
 * Settings of an insert beside its token. Nothing cuts a batch into several blocks of one partition, so that the same
 * token always covers the same block; a batch over more days than the contract allows is refused, not half stored.
 */
export const insertSettings = {
  async_insert: 0,
  min_insert_block_size_rows: "10000000",
  min_insert_block_size_bytes: "0",
  max_insert_block_size: "10000000",
  max_partitions_per_insert_block: "20",
} as const;

/** The rows of one batch, newline-delimited UTF-8. Equal batches give equal bytes. */
export function encodeUsageRows(token: string, records: readonly UsageRecord[]): Buffer {
  const tail = `,${jsonString(token)}]\n`;
  let text = "";
  for (const record of records) text += encodeUsageRow(record) + tail;
  return Buffer.from(text, "utf8");
}

/** One row without its last column (`batch`) and closing bracket, which are the same for the whole batch. */
function encodeUsageRow(record: UsageRecord): string {
  const usage = record.usage;
  const cost = record.costNanoUsd;
  // A raw integer is read as ticks of DateTime64(6), that is microseconds: nothing passes through a float.
  return (
    `[${record.startUs},${durationUs(record)},"${record.traceId}","${record.spanId}","${record.parentSpanId}",` +
    `${jsonString(record.tenant)},${jsonString(record.service)},${jsonString(record.environment)},` +
    `${jsonString(record.feature)},${jsonString(record.user)},${jsonString(record.session)},` +
    `${jsonString(record.agent)},${jsonString(record.run)},${jsonString(record.promptName)},` +
    `${jsonString(record.promptVersion)},${jsonString(record.release)},"${record.operation}",` +
    `${jsonString(record.provider)},${jsonString(record.model)},${jsonString(record.requestModel)},` +
    `${jsonString(record.responseId)},${jsonString(record.finishReason)},"${record.status}",` +
    `${jsonString(record.errorType)},${jsonString(record.tool)},${jsonString(record.toolArgsHash)},` +
    `${jsonString(record.outcome)},${usage.input},${usage.cacheRead},${usage.cacheWrite5m},${usage.cacheWrite1h},` +
    `${usage.output},${usage.reasoning},${record.calls},${cost === null ? record.calls : 0},${usdNumber(cost)},` +
    `"${record.costStatus}",${usdNumber(record.reportedNanoUsd)},${record.revision},${jsonStrings(record.flags)}`
  );
}

/** Nano-dollars as a decimal number: `1500` -> `1500e-9`. The engine reads it digit by digit, so it is exact. */
function usdNumber(nanoUsd: number | null): string {
  return nanoUsd === null ? "null" : `${nanoUsd}e-9`;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what JSON wants escaped.
const needsEscape = /["\\\u0000-\u001f]/;

/**
 * A JSON string. Lone surrogates become U+FFFD: the plain branch leaves that to the UTF-8 encoder, the other must do it
 * itself, since the engine refuses an escaped lone surrogate.
 */
function jsonString(text: string): string {
  return needsEscape.test(text) ? JSON.stringify(text.toWellFormed()) : `"${text}"`;
}

function jsonStrings(texts: readonly string[]): string {
  return texts.length === 0 ? "[]" : `[${texts.map(jsonString).join(",")}]`;
}
