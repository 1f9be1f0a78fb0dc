/**
 * Usage records as a block of ClickHouse's Native format, which both the embedded engine and a server take. Values are
 * stored as the record holds them: a correction arrives with its amounts already negated.
 */

import { durationUs, type UsageRecord } from "../model/usage-record.ts";
import {
  type ColumnType,
  dictionary,
  dictionaryArray,
  encodeBlock,
  fixedString,
  int64,
  nullableInt64,
  smallInt,
  string,
  uint64OfHex,
} from "./native-block.ts";

/** Columns of `usage_records` but the last, `batch`, in the order in which they are written. */
const recordColumns = {
  // Ticks of microseconds and of nano-dollars: nothing passes through a float.
  ts: int64("DateTime64(6, 'UTC')", (record) => record.startUs),
  duration_us: int64("Int64", durationUs),
  trace_id: fixedString(32, (record) => record.traceId),
  span_id: fixedString(16, (record) => record.spanId),
  parent_span_id: string((record) => record.parentSpanId),
  tenant: dictionary((record) => record.tenant),
  service: dictionary((record) => record.service),
  environment: dictionary((record) => record.environment),
  feature: dictionary((record) => record.feature),
  user: string((record) => record.user),
  session: string((record) => record.session),
  agent: dictionary((record) => record.agent),
  run: string((record) => record.run),
  prompt_name: dictionary((record) => record.promptName),
  prompt_version: dictionary((record) => record.promptVersion),
  release: dictionary((record) => record.release),
  operation: dictionary((record) => record.operation),
  provider: dictionary((record) => record.provider),
  model: dictionary((record) => record.model),
  request_model: dictionary((record) => record.requestModel),
  response_id: string((record) => record.responseId),
  finish_reason: dictionary((record) => record.finishReason),
  status: dictionary((record) => record.status),
  error_type: dictionary((record) => record.errorType),
  tool: dictionary((record) => record.tool),
  tool_args_hash: string((record) => record.toolArgsHash),
  outcome: string((record) => record.outcome),
  input_uncached_tokens: int64("Int64", (record) => record.usage.input),
  cache_read_tokens: int64("Int64", (record) => record.usage.cacheRead),
  cache_write_5m_tokens: int64("Int64", (record) => record.usage.cacheWrite5m),
  cache_write_1h_tokens: int64("Int64", (record) => record.usage.cacheWrite1h),
  output_visible_tokens: int64("Int64", (record) => record.usage.output),
  reasoning_tokens: int64("Int64", (record) => record.usage.reasoning),
  calls: smallInt("Int8", (record) => record.calls),
  unpriced_calls: smallInt("Int8", (record) => (record.costNanoUsd === null ? record.calls : 0)),
  cost_usd: nullableInt64("Decimal(18, 9)", (record) => record.costNanoUsd),
  cost_status: dictionary((record) => record.costStatus),
  cost_reported_usd: nullableInt64("Decimal(18, 9)", (record) => record.reportedNanoUsd),
  revision: smallInt("UInt16", (record) => record.revision),
  flags: dictionaryArray((record) => record.flags),
  images: int64("Int64", (record) => record.images),
  audio_ms: int64("Int64", (record) => record.audioMs),
  service_tier: dictionary((record) => record.serviceTier),
  price_tag: dictionary((record) => record.priceTag),
  cost_carry: smallInt("Int8", (record) => record.costCarry),
  repricings: smallInt("UInt16", (record) => record.repricings),
  instance: dictionary((record) => record.instance),
  audio_input_tokens: int64("Int64", (record) => record.modalities?.audioInput ?? 0),
  audio_cache_read_tokens: int64("Int64", (record) => record.modalities?.audioCacheRead ?? 0),
  audio_output_tokens: int64("Int64", (record) => record.modalities?.audioOutput ?? 0),
  image_input_tokens: int64("Int64", (record) => record.modalities?.imageInput ?? 0),
  image_cache_read_tokens: int64("Int64", (record) => record.modalities?.imageCacheRead ?? 0),
  image_output_tokens: int64("Int64", (record) => record.modalities?.imageOutput ?? 0),
  prompt_hash: uint64OfHex((record) => record.promptHash),
} as const satisfies Record<string, ColumnType<UsageRecord>>;

function columnsOf(token: string) {
  const columns = { ...recordColumns, batch: dictionary<UsageRecord>(() => token) };
  return Object.entries<ColumnType<UsageRecord>>(columns).map(([name, column]) => ({ name, ...column }));
}

/** The names, as an insert lists them. */
export const usageColumns: readonly string[] = columnsOf("").map(({ name }) => name);

/** Names and types, as the table function `file` takes them. */
export const usageStructure: string = columnsOf("")
  .map(({ name, type }) => `${name} ${type}`)
  .join(", ");

/**
 * Settings of an insert beside its token. Nothing cuts a batch into several blocks of one partition, so that the same
 * token always covers the same block; a batch over more days than the contract allows is refused, not half stored. The
 * rollups' rows of one insert have distinct keys already: trying to merge them would be a tenth of its cost.
 */
export const insertSettings = {
  async_insert: 0,
  min_insert_block_size_rows: "10000000",
  min_insert_block_size_bytes: "0",
  max_insert_block_size: "10000000",
  max_partitions_per_insert_block: "20",
  optimize_on_insert: 0,
} as const;

/** The rows of one batch. Equal batches give equal bytes. */
export function encodeUsageRows(token: string, records: readonly UsageRecord[]): Promise<Buffer> {
  return encodeBlock(columnsOf(token), records);
}
