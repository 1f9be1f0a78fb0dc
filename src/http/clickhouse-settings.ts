/**
 * Settings that clients of the read-only interface send beside their query: those that shape the answer are honoured,
 * those that can only lower a limit do so, those that change nothing here are ignored, and any other is refused.
 */

import type { QueryLimits } from "../store/store.ts";
import { ClickhouseError } from "./clickhouse-error.ts";

export interface JudgedSettings {
  /** For the engine, on the connection of this question. */
  readonly settings: Readonly<Record<string, string>>;
  readonly limits: QueryLimits;
  /** Sent by the client and without effect. */
  readonly ignored: readonly string[];
}

/** How values are written. None of these names a file, a schema or a URL. */
const outputSettings =
  /^output_format_(?:json|csv|tsv|pretty|markdown|arrow|parquet|orc|native|binary|avro|msgpack|values|sql_insert|bson)_\w+$|^format_(?:csv|tsv|custom)_\w+$/;

const answerSettings: ReadonlySet<string> = new Set(
  `output_format_write_statistics output_format_decimal_trailing_zeros output_format_float_precision
  output_format_trim_fixed_string output_format_always_write_decimal_point_in_float_and_decimal
  output_format_compression_level date_time_output_format date_time_input_format session_timezone
  bool_true_representation bool_false_representation extremes join_use_nulls group_by_use_nulls union_default_mode
  intersect_default_mode except_default_mode prefer_column_name_to_alias transform_null_in cast_keep_nullable
  count_distinct_implementation enable_positional_arguments totals_mode any_join_distinct_right_table_keys limit offset
  max_rows_to_read max_bytes_to_read read_overflow_mode timeout_overflow_mode result_overflow_mode max_rows_to_group_by
  group_by_overflow_mode`.split(/\s+/),
);

/** What clients send about transport, logs and tuning. */
const ignoredSettings =
  /^(?:http_\w+|send_progress_in_http_headers|wait_end_of_query|buffer_size|enable_http_compression|add_http_cors_header|log_\w+|query_id|session_id|session_timeout|session_check|quota_key|stacktrace|client_protocol_version|cancel_http_readonly_queries_on_client_close|max_threads|max_block_size|max_query_size|max_ast_\w+|(?:connect|receive|send)_timeout\w*|network_\w+|async_insert|wait_for_async_insert|insert_\w+|use_\w*cache\w*|allow_experimental_analyzer|enable_analyzer|mutations_sync|distributed_\w+|load_balancing|priority|interactive_delay|max_insert_\w+|optimize_\w+|compile_\w+|max_bytes_before_\w+|join_algorithm|show_table_uuid_in_table_create_query_if_not_nil|client_name|user_agent)$/;

/**
 * Judges the settings of one request; `known` are the engine's own names.
 * @throws ClickhouseError for the first that is not taken.
 */
export function judgeSettings(
  asked: ReadonlyMap<string, string>,
  limits: QueryLimits,
  known: ReadonlySet<string>,
): JudgedSettings {
  const settings: Record<string, string> = {};
  const ignored: string[] = [];
  let { seconds, rows, memoryBytes } = limits;
  for (const [name, value] of asked) {
    if ((name === "compress" || name === "decompress") && value === "0") continue;
    if (name === "max_execution_time") seconds = Math.ceil(lower(name, value, seconds));
    else if (name === "max_result_rows") rows = Math.ceil(lower(name, value, rows));
    else if (name === "max_memory_usage") memoryBytes = Math.ceil(lower(name, value, memoryBytes));
    else if (name === "max_result_bytes") settings[name] = String(Math.ceil(lower(name, value, memoryBytes)));
    else if (outputSettings.test(name) || answerSettings.has(name)) settings[name] = plainValue(name, value);
    else if (name === "readonly") ignored.push(checkReadonly(value));
    else if (ignoredSettings.test(name)) ignored.push(name);
    else throw refuse(name, value, known);
  }
  return { settings, limits: { seconds, rows, memoryBytes }, ignored };
}

/** Zero means no limit to ClickHouse, and ours to us. */
function lower(name: string, value: string, limit: number): number {
  const asked = Number(value);
  if (!Number.isFinite(asked) || asked < 0 || value === "")
    throw new ClickhouseError("INVALID_SETTING_VALUE", `Setting ${name} is not a number: '${value.slice(0, 100)}'`);
  return asked === 0 ? limit : Math.min(asked, limit);
}

/** One line of printable text: a connection is prepared with it. */
function plainValue(name: string, value: string): string {
  if (/^[\t\x20-\x7e]{0,100}$/.test(value)) return value;
  throw new ClickhouseError("INVALID_SETTING_VALUE", `Setting ${name} is not a short line of plain text`);
}

function checkReadonly(value: string): string {
  if (value === "1" || value === "2") return "readonly";
  throw new ClickhouseError("READONLY", "Cannot modify 'readonly' setting in readonly mode");
}

function refuse(name: string, value: string, known: ReadonlySet<string>): ClickhouseError {
  if (name === "role") return new ClickhouseError("UNKNOWN_ROLE", `There is no role \`${value.slice(0, 100)}\``);
  if (name === "compress" || name === "decompress")
    return new ClickhouseError(
      "NOT_IMPLEMENTED",
      `The native block format (${name}=${value.slice(0, 10)}) is not served: use enable_http_compression=1 with Accept-Encoding, or Content-Encoding`,
    );
  return known.has(name)
    ? new ClickhouseError(
        "READONLY",
        `Cannot modify '${name}' setting in readonly mode; output_format_* and lower limits are taken`,
      )
    : new ClickhouseError(
        "UNKNOWN_SETTING",
        `Setting ${name.slice(0, 100)} is neither a builtin setting nor known here`,
      );
}
