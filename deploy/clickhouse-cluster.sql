-- The tables of Burnwatch on the ClickHouse cluster "burnwatch": what a writer makes at its first start with
-- clickhouse.cluster: burnwatch, and `burnwatch migrate` without one. By hand: clickhouse-client --multiquery < THIS FILE on any
-- server, then the statement that begins with INSERT on one server of every other shard.
-- Every server needs the macros {shard} (the same on all replicas of a shard) and {replica} (its own), and burnwatch in remote_servers
-- with internal_replication. Rows are in burnwatch; burnwatch_all reads all shards.
-- Made by: burnwatch migrate --print

CREATE DATABASE IF NOT EXISTS burnwatch ON CLUSTER 'burnwatch';

CREATE TABLE IF NOT EXISTS burnwatch.schema_migrations ON CLUSTER 'burnwatch' (
  version UInt32, name String, applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/burnwatch/schema_migrations', '{replica}') ORDER BY version SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS burnwatch.usage_records ON CLUSTER 'burnwatch' (
  ts DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
  duration_us Int64 CODEC(T64, ZSTD(1)),
  trace_id FixedString(32) CODEC(ZSTD(1)),
  span_id FixedString(16) CODEC(ZSTD(1)),
  parent_span_id String CODEC(ZSTD(1)),
  tenant LowCardinality(String) CODEC(ZSTD(1)),
  service LowCardinality(String) CODEC(ZSTD(1)),
  environment LowCardinality(String) CODEC(ZSTD(1)),
  feature LowCardinality(String) CODEC(ZSTD(1)),
  user String CODEC(ZSTD(1)),
  session String CODEC(ZSTD(1)),
  agent LowCardinality(String) CODEC(ZSTD(1)),
  run String CODEC(ZSTD(1)),
  prompt_name LowCardinality(String) CODEC(ZSTD(1)),
  prompt_version LowCardinality(String) CODEC(ZSTD(1)),
  release LowCardinality(String) CODEC(ZSTD(1)),
  operation LowCardinality(String) CODEC(ZSTD(1)),
  provider LowCardinality(String) CODEC(ZSTD(1)),
  model LowCardinality(String) CODEC(ZSTD(1)),
  request_model LowCardinality(String) CODEC(ZSTD(1)),
  response_id String CODEC(ZSTD(1)),
  finish_reason LowCardinality(String) CODEC(ZSTD(1)),
  status LowCardinality(String) CODEC(ZSTD(1)),
  error_type LowCardinality(String) CODEC(ZSTD(1)),
  tool LowCardinality(String) CODEC(ZSTD(1)),
  tool_args_hash String CODEC(ZSTD(1)),
  outcome String CODEC(ZSTD(1)),
  input_uncached_tokens Int64 CODEC(T64, ZSTD(1)),
  cache_read_tokens Int64 CODEC(T64, ZSTD(1)),
  cache_write_5m_tokens Int64 CODEC(T64, ZSTD(1)),
  cache_write_1h_tokens Int64 CODEC(T64, ZSTD(1)),
  output_visible_tokens Int64 CODEC(T64, ZSTD(1)),
  reasoning_tokens Int64 CODEC(T64, ZSTD(1)),
  calls Int8 CODEC(ZSTD(1)),
  unpriced_calls Int8 CODEC(ZSTD(1)),
  cost_usd Nullable(Decimal(18, 9)) CODEC(T64, ZSTD(1)),
  cost_status LowCardinality(String) CODEC(ZSTD(1)),
  cost_reported_usd Nullable(Decimal(18, 9)) CODEC(T64, ZSTD(1)),
  revision UInt16 CODEC(ZSTD(1)),
  flags Array(LowCardinality(String)) CODEC(ZSTD(1)),
  batch LowCardinality(String) CODEC(ZSTD(1)),
  images Int64 CODEC(ZSTD(1)),
  audio_ms Int64 CODEC(ZSTD(1)),
  service_tier LowCardinality(String) CODEC(ZSTD(1)),
  price_tag LowCardinality(String) CODEC(ZSTD(1)),
  cost_carry Int8 CODEC(ZSTD(1)),
  repricings UInt16 CODEC(ZSTD(1)),
  instance LowCardinality(String) CODEC(ZSTD(1)),
  audio_input_tokens Int64 CODEC(ZSTD(1)),
  audio_cache_read_tokens Int64 CODEC(ZSTD(1)),
  audio_output_tokens Int64 CODEC(ZSTD(1)),
  image_input_tokens Int64 CODEC(ZSTD(1)),
  image_cache_read_tokens Int64 CODEC(ZSTD(1)),
  image_output_tokens Int64 CODEC(ZSTD(1)),
  prompt_hash UInt64 CODEC(ZSTD(1)),
  INDEX trace_id_bloom trace_id TYPE bloom_filter(0.01) GRANULARITY 1
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/burnwatch/usage_records', '{replica}')
PARTITION BY toDate(ts)
ORDER BY (tenant, feature, model, ts)
TTL toDate(ts) + INTERVAL 90 DAY
SETTINGS ttl_only_drop_parts = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800,
  fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS burnwatch.usage_rollup_15m ON CLUSTER 'burnwatch' (
  slot DateTime('UTC') CODEC(Delta(4), LZ4),
  tenant LowCardinality(String) CODEC(LZ4),
  feature LowCardinality(String) CODEC(LZ4),
  model LowCardinality(String) CODEC(LZ4),
  service LowCardinality(String) CODEC(LZ4),
  environment LowCardinality(String) CODEC(LZ4),
  provider LowCardinality(String) CODEC(LZ4),
  operation LowCardinality(String) CODEC(LZ4),
  cost_status LowCardinality(String) CODEC(LZ4),
  prompt_name LowCardinality(String) CODEC(LZ4),
  prompt_version LowCardinality(String) CODEC(LZ4),
  records SimpleAggregateFunction(sum, Int64) CODEC(T64, LZ4),
  calls SimpleAggregateFunction(sum, Int64) CODEC(T64, LZ4),
  errors SimpleAggregateFunction(sum, Int64) CODEC(T64, LZ4),
  unpriced_calls SimpleAggregateFunction(sum, Int64) CODEC(T64, LZ4),
  priced_records SimpleAggregateFunction(sum, Int64) CODEC(T64, LZ4),
  input_uncached_tokens SimpleAggregateFunction(sum, Int64) CODEC(T64, LZ4),
  cache_read_tokens SimpleAggregateFunction(sum, Int64) CODEC(T64, LZ4),
  cache_write_5m_tokens SimpleAggregateFunction(sum, Int64) CODEC(T64, LZ4),
  cache_write_1h_tokens SimpleAggregateFunction(sum, Int64) CODEC(T64, LZ4),
  output_visible_tokens SimpleAggregateFunction(sum, Int64) CODEC(T64, LZ4),
  reasoning_tokens SimpleAggregateFunction(sum, Int64) CODEC(T64, LZ4),
  call_duration_us SimpleAggregateFunction(sum, Int64) CODEC(T64, LZ4),
  cost_usd SimpleAggregateFunction(sum, Decimal(38, 9)) CODEC(LZ4),
  input_nano_usd SimpleAggregateFunction(sum, Int64) CODEC(T64, ZSTD(1)),
  cache_read_nano_usd SimpleAggregateFunction(sum, Int64) CODEC(T64, ZSTD(1)),
  cache_write_nano_usd SimpleAggregateFunction(sum, Int64) CODEC(T64, ZSTD(1)),
  output_nano_usd SimpleAggregateFunction(sum, Int64) CODEC(T64, ZSTD(1)),
  reasoning_nano_usd SimpleAggregateFunction(sum, Int64) CODEC(T64, ZSTD(1))
) ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/burnwatch/usage_rollup_15m', '{replica}')
PARTITION BY toDate(slot)
ORDER BY (tenant, feature, model, slot, service, environment, provider, operation, cost_status, prompt_name, prompt_version)
TTL toDate(slot) + INTERVAL 13 MONTH
SETTINGS ttl_only_drop_parts = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800,
  fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS burnwatch.usage_rollup_15m_fill ON CLUSTER 'burnwatch' TO burnwatch.usage_rollup_15m AS
SELECT toStartOfFifteenMinutes(toDateTime(r.ts, 'UTC')) AS slot,
  r.tenant AS tenant, r.feature AS feature, r.model AS model, r.service AS service, r.environment AS environment, r.provider AS provider, r.operation AS operation, r.cost_status AS cost_status, r.prompt_name AS prompt_name, r.prompt_version AS prompt_version,
  sum(if(r.calls = 0, 1, toInt64(r.calls))) AS records,
  sum(toInt64(r.calls)) AS calls,
  sum(if(r.status = 'error', if(r.calls = 0, 1, toInt64(r.calls)), 0)) AS errors,
  sum(toInt64(r.unpriced_calls)) AS unpriced_calls,
  sum(if(isNull(r.cost_usd), 0, if(r.calls = 0, 1, toInt64(r.calls)))) AS priced_records,
  sum(r.input_uncached_tokens) AS input_uncached_tokens,
  sum(r.cache_read_tokens) AS cache_read_tokens,
  sum(r.cache_write_5m_tokens) AS cache_write_5m_tokens,
  sum(r.cache_write_1h_tokens) AS cache_write_1h_tokens,
  sum(r.output_visible_tokens) AS output_visible_tokens,
  sum(r.reasoning_tokens) AS reasoning_tokens,
  sum(r.duration_us * toInt64(r.calls)) AS call_duration_us,
  sum(ifNull(r.cost_usd, toDecimal64(0, 9))) AS cost_usd,
  sum((toInt64(intDiv(toInt128(r.input_uncached_tokens) * toInt64OrZero(substring(r.price_tag, 1, 17)), 1000000000)) + bitAnd(bitShiftRight(r.cost_carry, 0), 1) * r.calls)) AS input_nano_usd,
  sum((toInt64(intDiv(toInt128(r.cache_read_tokens) * toInt64OrZero(substring(r.price_tag, 18, 17)), 1000000000)) + bitAnd(bitShiftRight(r.cost_carry, 1), 1) * r.calls)) AS cache_read_nano_usd,
  sum((toInt64(intDiv(toInt128(r.cache_write_5m_tokens) * toInt64OrZero(substring(r.price_tag, 35, 17)) + toInt128(r.cache_write_1h_tokens) * toInt64OrZero(substring(r.price_tag, 52, 17)), 1000000000)) + bitAnd(bitShiftRight(r.cost_carry, 2), 1) * r.calls)) AS cache_write_nano_usd,
  sum((toInt64(intDiv(toInt128(r.output_visible_tokens) * toInt64OrZero(substring(r.price_tag, 69, 17)), 1000000000)) + bitAnd(bitShiftRight(r.cost_carry, 3), 1) * r.calls)) AS output_nano_usd,
  sum((toInt64(intDiv(toInt128(r.reasoning_tokens) * toInt64OrZero(substring(r.price_tag, 86, 17)), 1000000000)) + bitAnd(bitShiftRight(r.cost_carry, 4), 1) * r.calls)) AS reasoning_nano_usd
FROM burnwatch.usage_records AS r
GROUP BY slot, r.tenant, r.feature, r.model, r.service, r.environment, r.provider, r.operation, r.cost_status, r.prompt_name, r.prompt_version;

CREATE TABLE IF NOT EXISTS burnwatch.usage_rollup_1d ON CLUSTER 'burnwatch' (
  day Date CODEC(Delta(2), LZ4),
  tenant LowCardinality(String) CODEC(LZ4),
  feature LowCardinality(String) CODEC(LZ4),
  model LowCardinality(String) CODEC(LZ4),
  service LowCardinality(String) CODEC(LZ4),
  environment LowCardinality(String) CODEC(LZ4),
  provider LowCardinality(String) CODEC(LZ4),
  operation LowCardinality(String) CODEC(LZ4),
  cost_status LowCardinality(String) CODEC(LZ4),
  prompt_name LowCardinality(String) CODEC(LZ4),
  prompt_version LowCardinality(String) CODEC(LZ4),
  records SimpleAggregateFunction(sum, Int64) CODEC(T64, LZ4),
  calls SimpleAggregateFunction(sum, Int64) CODEC(T64, LZ4),
  errors SimpleAggregateFunction(sum, Int64) CODEC(T64, LZ4),
  unpriced_calls SimpleAggregateFunction(sum, Int64) CODEC(T64, LZ4),
  priced_records SimpleAggregateFunction(sum, Int64) CODEC(T64, LZ4),
  input_uncached_tokens SimpleAggregateFunction(sum, Int64) CODEC(T64, LZ4),
  cache_read_tokens SimpleAggregateFunction(sum, Int64) CODEC(T64, LZ4),
  cache_write_5m_tokens SimpleAggregateFunction(sum, Int64) CODEC(T64, LZ4),
  cache_write_1h_tokens SimpleAggregateFunction(sum, Int64) CODEC(T64, LZ4),
  output_visible_tokens SimpleAggregateFunction(sum, Int64) CODEC(T64, LZ4),
  reasoning_tokens SimpleAggregateFunction(sum, Int64) CODEC(T64, LZ4),
  call_duration_us SimpleAggregateFunction(sum, Int64) CODEC(T64, LZ4),
  cost_usd SimpleAggregateFunction(sum, Decimal(38, 9)) CODEC(LZ4),
  input_nano_usd SimpleAggregateFunction(sum, Int64) CODEC(T64, ZSTD(1)),
  cache_read_nano_usd SimpleAggregateFunction(sum, Int64) CODEC(T64, ZSTD(1)),
  cache_write_nano_usd SimpleAggregateFunction(sum, Int64) CODEC(T64, ZSTD(1)),
  output_nano_usd SimpleAggregateFunction(sum, Int64) CODEC(T64, ZSTD(1)),
  reasoning_nano_usd SimpleAggregateFunction(sum, Int64) CODEC(T64, ZSTD(1))
) ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/burnwatch/usage_rollup_1d', '{replica}')
PARTITION BY toYYYYMM(day)
ORDER BY (tenant, feature, model, day, service, environment, provider, operation, cost_status, prompt_name, prompt_version)
TTL toDate(day) + INTERVAL 13 MONTH
SETTINGS ttl_only_drop_parts = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800,
  fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS burnwatch.usage_rollup_1d_fill ON CLUSTER 'burnwatch' TO burnwatch.usage_rollup_1d AS
SELECT toDate(r.ts) AS day,
  r.tenant AS tenant, r.feature AS feature, r.model AS model, r.service AS service, r.environment AS environment, r.provider AS provider, r.operation AS operation, r.cost_status AS cost_status, r.prompt_name AS prompt_name, r.prompt_version AS prompt_version,
  sum(if(r.calls = 0, 1, toInt64(r.calls))) AS records,
  sum(toInt64(r.calls)) AS calls,
  sum(if(r.status = 'error', if(r.calls = 0, 1, toInt64(r.calls)), 0)) AS errors,
  sum(toInt64(r.unpriced_calls)) AS unpriced_calls,
  sum(if(isNull(r.cost_usd), 0, if(r.calls = 0, 1, toInt64(r.calls)))) AS priced_records,
  sum(r.input_uncached_tokens) AS input_uncached_tokens,
  sum(r.cache_read_tokens) AS cache_read_tokens,
  sum(r.cache_write_5m_tokens) AS cache_write_5m_tokens,
  sum(r.cache_write_1h_tokens) AS cache_write_1h_tokens,
  sum(r.output_visible_tokens) AS output_visible_tokens,
  sum(r.reasoning_tokens) AS reasoning_tokens,
  sum(r.duration_us * toInt64(r.calls)) AS call_duration_us,
  sum(ifNull(r.cost_usd, toDecimal64(0, 9))) AS cost_usd,
  sum((toInt64(intDiv(toInt128(r.input_uncached_tokens) * toInt64OrZero(substring(r.price_tag, 1, 17)), 1000000000)) + bitAnd(bitShiftRight(r.cost_carry, 0), 1) * r.calls)) AS input_nano_usd,
  sum((toInt64(intDiv(toInt128(r.cache_read_tokens) * toInt64OrZero(substring(r.price_tag, 18, 17)), 1000000000)) + bitAnd(bitShiftRight(r.cost_carry, 1), 1) * r.calls)) AS cache_read_nano_usd,
  sum((toInt64(intDiv(toInt128(r.cache_write_5m_tokens) * toInt64OrZero(substring(r.price_tag, 35, 17)) + toInt128(r.cache_write_1h_tokens) * toInt64OrZero(substring(r.price_tag, 52, 17)), 1000000000)) + bitAnd(bitShiftRight(r.cost_carry, 2), 1) * r.calls)) AS cache_write_nano_usd,
  sum((toInt64(intDiv(toInt128(r.output_visible_tokens) * toInt64OrZero(substring(r.price_tag, 69, 17)), 1000000000)) + bitAnd(bitShiftRight(r.cost_carry, 3), 1) * r.calls)) AS output_nano_usd,
  sum((toInt64(intDiv(toInt128(r.reasoning_tokens) * toInt64OrZero(substring(r.price_tag, 86, 17)), 1000000000)) + bitAnd(bitShiftRight(r.cost_carry, 4), 1) * r.calls)) AS reasoning_nano_usd
FROM burnwatch.usage_records AS r
GROUP BY day, r.tenant, r.feature, r.model, r.service, r.environment, r.provider, r.operation, r.cost_status, r.prompt_name, r.prompt_version;

CREATE OR REPLACE VIEW burnwatch.usage ON CLUSTER 'burnwatch' AS
SELECT
  r.ts AS ts, toDate(r.ts) AS day, toStartOfHour(toDateTime(r.ts, 'UTC')) AS hour, r.duration_us AS duration_us,
  r.trace_id AS trace_id, r.span_id AS span_id, r.parent_span_id AS parent_span_id,
  r.tenant AS tenant, r.service AS service, r.environment AS environment, r.feature AS feature, r.user AS user,
  r.session AS session, r.agent AS agent, r.run AS run, r.prompt_name AS prompt_name,
  r.prompt_version AS prompt_version, r.release AS release, r.instance AS instance,
  r.operation AS operation, r.provider AS provider, r.model AS model, r.request_model AS request_model,
  r.response_id AS response_id, r.finish_reason AS finish_reason, r.status AS status, r.error_type AS error_type,
  r.tool AS tool, r.tool_args_hash AS tool_args_hash, if(r.prompt_hash = 0, '', leftPad(lower(hex(r.prompt_hash)), 16, '0')) AS prompt_hash,
  r.outcome AS outcome,
  r.input_uncached_tokens + r.cache_read_tokens + r.cache_write_5m_tokens + r.cache_write_1h_tokens AS input_tokens,
  r.cache_read_tokens AS cache_read_tokens,
  r.cache_write_5m_tokens + r.cache_write_1h_tokens AS cache_write_tokens,
  r.output_visible_tokens + r.reasoning_tokens AS output_tokens,
  r.reasoning_tokens AS reasoning_tokens,
  r.calls AS calls, r.unpriced_calls AS unpriced_calls,
  r.cost_usd AS cost_usd, if(isNull(r.cost_usd), NULL, CAST((toInt64(intDiv(toInt128(r.input_uncached_tokens) * toInt64OrZero(substring(r.price_tag, 1, 17)), 1000000000)) + bitAnd(bitShiftRight(r.cost_carry, 0), 1) * r.calls) AS Decimal(38, 9)) / 1000000000) AS cost_input_usd,
  if(isNull(r.cost_usd), NULL, CAST((toInt64(intDiv(toInt128(r.cache_read_tokens) * toInt64OrZero(substring(r.price_tag, 18, 17)), 1000000000)) + bitAnd(bitShiftRight(r.cost_carry, 1), 1) * r.calls) AS Decimal(38, 9)) / 1000000000) AS cost_cache_read_usd,
  if(isNull(r.cost_usd), NULL, CAST((toInt64(intDiv(toInt128(r.cache_write_5m_tokens) * toInt64OrZero(substring(r.price_tag, 35, 17)) + toInt128(r.cache_write_1h_tokens) * toInt64OrZero(substring(r.price_tag, 52, 17)), 1000000000)) + bitAnd(bitShiftRight(r.cost_carry, 2), 1) * r.calls) AS Decimal(38, 9)) / 1000000000) AS cost_cache_write_usd,
  if(isNull(r.cost_usd), NULL, CAST((toInt64(intDiv(toInt128(r.output_visible_tokens) * toInt64OrZero(substring(r.price_tag, 69, 17)), 1000000000)) + bitAnd(bitShiftRight(r.cost_carry, 3), 1) * r.calls) AS Decimal(38, 9)) / 1000000000) AS cost_output_usd,
  if(isNull(r.cost_usd), NULL, CAST((toInt64(intDiv(toInt128(r.reasoning_tokens) * toInt64OrZero(substring(r.price_tag, 86, 17)), 1000000000)) + bitAnd(bitShiftRight(r.cost_carry, 4), 1) * r.calls) AS Decimal(38, 9)) / 1000000000) AS cost_reasoning_usd,
  if(isNull(r.cost_usd), NULL, r.cost_usd - (CAST((toInt64(intDiv(toInt128(r.input_uncached_tokens) * toInt64OrZero(substring(r.price_tag, 1, 17)), 1000000000)) + bitAnd(bitShiftRight(r.cost_carry, 0), 1) * r.calls) + (toInt64(intDiv(toInt128(r.cache_read_tokens) * toInt64OrZero(substring(r.price_tag, 18, 17)), 1000000000)) + bitAnd(bitShiftRight(r.cost_carry, 1), 1) * r.calls) + (toInt64(intDiv(toInt128(r.cache_write_5m_tokens) * toInt64OrZero(substring(r.price_tag, 35, 17)) + toInt128(r.cache_write_1h_tokens) * toInt64OrZero(substring(r.price_tag, 52, 17)), 1000000000)) + bitAnd(bitShiftRight(r.cost_carry, 2), 1) * r.calls) + (toInt64(intDiv(toInt128(r.output_visible_tokens) * toInt64OrZero(substring(r.price_tag, 69, 17)), 1000000000)) + bitAnd(bitShiftRight(r.cost_carry, 3), 1) * r.calls) + (toInt64(intDiv(toInt128(r.reasoning_tokens) * toInt64OrZero(substring(r.price_tag, 86, 17)), 1000000000)) + bitAnd(bitShiftRight(r.cost_carry, 4), 1) * r.calls) AS Decimal(38, 9)) / 1000000000)) AS cost_other_usd,
  r.cost_status AS cost_status, r.cost_reported_usd AS cost_reported_usd,
  splitByChar(' ', substring(r.price_tag, 104))[1] AS price_source,
  splitByChar(' ', substring(r.price_tag, 104))[2] AS price_version,
  r.images AS images, r.audio_ms AS audio_ms,
  r.audio_input_tokens AS audio_input_tokens, r.audio_cache_read_tokens AS audio_cache_read_tokens, r.audio_output_tokens AS audio_output_tokens, r.image_input_tokens AS image_input_tokens, r.image_cache_read_tokens AS image_cache_read_tokens, r.image_output_tokens AS image_output_tokens, r.service_tier AS service_tier,
  r.revision AS revision, r.repricings AS repricings, r.flags AS flags
FROM burnwatch.usage_records AS r;

CREATE OR REPLACE VIEW burnwatch.usage_by_15m ON CLUSTER 'burnwatch' AS
SELECT r.slot AS slot,
  r.tenant AS tenant, r.feature AS feature, r.model AS model, r.service AS service, r.environment AS environment, r.provider AS provider, r.operation AS operation, r.cost_status AS cost_status, r.prompt_name AS prompt_name, r.prompt_version AS prompt_version,
  sum(r.records) AS records, sum(r.calls) AS calls, sum(r.errors) AS errors, sum(r.unpriced_calls) AS unpriced_calls,
  sum(r.input_uncached_tokens + r.cache_read_tokens + r.cache_write_5m_tokens + r.cache_write_1h_tokens) AS input_tokens,
  sum(r.cache_read_tokens) AS cache_read_tokens,
  sum(r.cache_write_5m_tokens + r.cache_write_1h_tokens) AS cache_write_tokens,
  sum(r.output_visible_tokens + r.reasoning_tokens) AS output_tokens,
  sum(r.reasoning_tokens) AS reasoning_tokens,
  sum(r.call_duration_us) AS call_duration_us,
  if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd)) AS cost_usd,
  if(isNull(if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd))), NULL, CAST(sum(r.input_nano_usd) AS Decimal(38, 9)) / 1000000000) AS cost_input_usd,
  if(isNull(if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd))), NULL, CAST(sum(r.cache_read_nano_usd) AS Decimal(38, 9)) / 1000000000) AS cost_cache_read_usd,
  if(isNull(if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd))), NULL, CAST(sum(r.cache_write_nano_usd) AS Decimal(38, 9)) / 1000000000) AS cost_cache_write_usd,
  if(isNull(if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd))), NULL, CAST(sum(r.output_nano_usd) AS Decimal(38, 9)) / 1000000000) AS cost_output_usd,
  if(isNull(if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd))), NULL, CAST(sum(r.reasoning_nano_usd) AS Decimal(38, 9)) / 1000000000) AS cost_reasoning_usd,
  if(isNull(if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd))), NULL, sum(r.cost_usd) - (CAST(sum(r.input_nano_usd) + sum(r.cache_read_nano_usd) + sum(r.cache_write_nano_usd) + sum(r.output_nano_usd) + sum(r.reasoning_nano_usd) AS Decimal(38, 9)) / 1000000000)) AS cost_other_usd
FROM burnwatch.usage_rollup_15m AS r
GROUP BY slot, r.tenant, r.feature, r.model, r.service, r.environment, r.provider, r.operation, r.cost_status, r.prompt_name, r.prompt_version;

CREATE OR REPLACE VIEW burnwatch.usage_by_hour ON CLUSTER 'burnwatch' AS
SELECT toStartOfHour(r.slot) AS hour,
  r.tenant AS tenant, r.feature AS feature, r.model AS model, r.service AS service, r.environment AS environment, r.provider AS provider, r.operation AS operation, r.cost_status AS cost_status, r.prompt_name AS prompt_name, r.prompt_version AS prompt_version,
  sum(r.records) AS records, sum(r.calls) AS calls, sum(r.errors) AS errors, sum(r.unpriced_calls) AS unpriced_calls,
  sum(r.input_uncached_tokens + r.cache_read_tokens + r.cache_write_5m_tokens + r.cache_write_1h_tokens) AS input_tokens,
  sum(r.cache_read_tokens) AS cache_read_tokens,
  sum(r.cache_write_5m_tokens + r.cache_write_1h_tokens) AS cache_write_tokens,
  sum(r.output_visible_tokens + r.reasoning_tokens) AS output_tokens,
  sum(r.reasoning_tokens) AS reasoning_tokens,
  sum(r.call_duration_us) AS call_duration_us,
  if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd)) AS cost_usd,
  if(isNull(if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd))), NULL, CAST(sum(r.input_nano_usd) AS Decimal(38, 9)) / 1000000000) AS cost_input_usd,
  if(isNull(if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd))), NULL, CAST(sum(r.cache_read_nano_usd) AS Decimal(38, 9)) / 1000000000) AS cost_cache_read_usd,
  if(isNull(if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd))), NULL, CAST(sum(r.cache_write_nano_usd) AS Decimal(38, 9)) / 1000000000) AS cost_cache_write_usd,
  if(isNull(if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd))), NULL, CAST(sum(r.output_nano_usd) AS Decimal(38, 9)) / 1000000000) AS cost_output_usd,
  if(isNull(if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd))), NULL, CAST(sum(r.reasoning_nano_usd) AS Decimal(38, 9)) / 1000000000) AS cost_reasoning_usd,
  if(isNull(if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd))), NULL, sum(r.cost_usd) - (CAST(sum(r.input_nano_usd) + sum(r.cache_read_nano_usd) + sum(r.cache_write_nano_usd) + sum(r.output_nano_usd) + sum(r.reasoning_nano_usd) AS Decimal(38, 9)) / 1000000000)) AS cost_other_usd
FROM burnwatch.usage_rollup_15m AS r
GROUP BY hour, r.tenant, r.feature, r.model, r.service, r.environment, r.provider, r.operation, r.cost_status, r.prompt_name, r.prompt_version;

CREATE OR REPLACE VIEW burnwatch.usage_by_day ON CLUSTER 'burnwatch' AS
SELECT r.day AS day,
  r.tenant AS tenant, r.feature AS feature, r.model AS model, r.service AS service, r.environment AS environment, r.provider AS provider, r.operation AS operation, r.cost_status AS cost_status, r.prompt_name AS prompt_name, r.prompt_version AS prompt_version,
  sum(r.records) AS records, sum(r.calls) AS calls, sum(r.errors) AS errors, sum(r.unpriced_calls) AS unpriced_calls,
  sum(r.input_uncached_tokens + r.cache_read_tokens + r.cache_write_5m_tokens + r.cache_write_1h_tokens) AS input_tokens,
  sum(r.cache_read_tokens) AS cache_read_tokens,
  sum(r.cache_write_5m_tokens + r.cache_write_1h_tokens) AS cache_write_tokens,
  sum(r.output_visible_tokens + r.reasoning_tokens) AS output_tokens,
  sum(r.reasoning_tokens) AS reasoning_tokens,
  sum(r.call_duration_us) AS call_duration_us,
  if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd)) AS cost_usd,
  if(isNull(if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd))), NULL, CAST(sum(r.input_nano_usd) AS Decimal(38, 9)) / 1000000000) AS cost_input_usd,
  if(isNull(if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd))), NULL, CAST(sum(r.cache_read_nano_usd) AS Decimal(38, 9)) / 1000000000) AS cost_cache_read_usd,
  if(isNull(if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd))), NULL, CAST(sum(r.cache_write_nano_usd) AS Decimal(38, 9)) / 1000000000) AS cost_cache_write_usd,
  if(isNull(if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd))), NULL, CAST(sum(r.output_nano_usd) AS Decimal(38, 9)) / 1000000000) AS cost_output_usd,
  if(isNull(if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd))), NULL, CAST(sum(r.reasoning_nano_usd) AS Decimal(38, 9)) / 1000000000) AS cost_reasoning_usd,
  if(isNull(if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd))), NULL, sum(r.cost_usd) - (CAST(sum(r.input_nano_usd) + sum(r.cache_read_nano_usd) + sum(r.cache_write_nano_usd) + sum(r.output_nano_usd) + sum(r.reasoning_nano_usd) AS Decimal(38, 9)) / 1000000000)) AS cost_other_usd
FROM burnwatch.usage_rollup_1d AS r
GROUP BY day, r.tenant, r.feature, r.model, r.service, r.environment, r.provider, r.operation, r.cost_status, r.prompt_name, r.prompt_version;

CREATE TABLE IF NOT EXISTS burnwatch.sealed_days ON CLUSTER 'burnwatch' (
  day Date, sealed_at DateTime64(3, 'UTC') DEFAULT now64(3), open UInt8, sums String
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/burnwatch/sealed_days', '{replica}') ORDER BY (day, sealed_at) SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS burnwatch.reprices ON CLUSTER 'burnwatch' (
  id String, started_at DateTime64(3, 'UTC'), finished_at DateTime64(3, 'UTC'), by String,
  since DateTime64(6, 'UTC'), until DateTime64(6, 'UTC'), filter String, price_version String,
  calls UInt64, cost_before_usd Decimal(38, 9), cost_after_usd Decimal(38, 9)
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/burnwatch/reprices', '{replica}') ORDER BY id SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS burnwatch.token_claims ON CLUSTER 'burnwatch' (
  ts DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
  from_ts DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
  service LowCardinality(String) CODEC(ZSTD(1)),
  instance LowCardinality(String) CODEC(ZSTD(1)),
  scope LowCardinality(String) CODEC(ZSTD(1)),
  provider LowCardinality(String) CODEC(ZSTD(1)),
  model LowCardinality(String) CODEC(ZSTD(1)),
  operation LowCardinality(String) CODEC(ZSTD(1)),
  token_type LowCardinality(String) CODEC(ZSTD(1)),
  series FixedString(16) CODEC(ZSTD(1)),
  started DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
  tokens Int64 CODEC(ZSTD(1)),
  calls Int64 CODEC(ZSTD(1)),
  total_tokens Int64 CODEC(ZSTD(1)),
  total_calls Int64 CODEC(ZSTD(1)),
  temporality LowCardinality(String) CODEC(ZSTD(1))
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/burnwatch/token_claims', '{replica}')
PARTITION BY toDate(ts)
ORDER BY (service, token_type, series, started, ts)
TTL toDate(ts) + INTERVAL 90 DAY
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS burnwatch.resource_points ON CLUSTER 'burnwatch' (
  ts DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
  service LowCardinality(String) CODEC(ZSTD(1)),
  instance LowCardinality(String) CODEC(ZSTD(1)),
  device LowCardinality(String) CODEC(ZSTD(1)),
  model LowCardinality(String) CODEC(ZSTD(1)),
  labels LowCardinality(String) CODEC(ZSTD(1)),
  name LowCardinality(String) CODEC(ZSTD(1)),
  unit LowCardinality(String) CODEC(ZSTD(1)),
  kind LowCardinality(String) CODEC(ZSTD(1)),
  series FixedString(16) CODEC(ZSTD(1)),
  started DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
  value Float64 CODEC(Gorilla(8), ZSTD(1)),
  increase Float64 CODEC(Gorilla(8), ZSTD(1))
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/burnwatch/resource_points', '{replica}')
PARTITION BY toDate(ts)
ORDER BY (name, service, instance, series, started, ts)
TTL toDate(ts) + INTERVAL 90 DAY
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE OR REPLACE VIEW burnwatch.resource_metrics ON CLUSTER 'burnwatch' AS
SELECT toStartOfMinute(toDateTime(p.ts, 'UTC')) AS minute, p.service AS service, p.instance AS instance,
  p.device AS device, p.model AS model, p.labels AS labels, p.name AS name, p.unit AS unit, p.kind AS kind,
  min(p.value) AS min, max(p.value) AS max, sum(p.increase) AS sum, count() AS count, argMax(p.value, p.ts) AS last
FROM burnwatch.resource_points AS p FINAL
GROUP BY minute, p.service, p.instance, p.device, p.model, p.labels, p.name, p.unit, p.kind, p.series;

INSERT INTO burnwatch.schema_migrations (version, name) SETTINGS async_insert = 0 VALUES (1, 'usage_records'), (2, 'usage_rollup_15m'), (3, 'usage_rollup_1d'), (4, 'usage_views'), (5, 'sealed_days'), (6, 'cost_split'), (7, 'reprices'), (8, 'metrics'), (9, 'instances_modalities'), (10, 'prompt_hash');

CREATE DATABASE IF NOT EXISTS burnwatch_all ON CLUSTER 'burnwatch';

CREATE OR REPLACE TABLE burnwatch_all.usage_records ON CLUSTER 'burnwatch' AS burnwatch.usage_records
ENGINE = Distributed('burnwatch', 'burnwatch', 'usage_records');

CREATE OR REPLACE TABLE burnwatch_all.usage_rollup_15m ON CLUSTER 'burnwatch' AS burnwatch.usage_rollup_15m
ENGINE = Distributed('burnwatch', 'burnwatch', 'usage_rollup_15m');

CREATE OR REPLACE TABLE burnwatch_all.usage_rollup_1d ON CLUSTER 'burnwatch' AS burnwatch.usage_rollup_1d
ENGINE = Distributed('burnwatch', 'burnwatch', 'usage_rollup_1d');

CREATE OR REPLACE TABLE burnwatch_all.token_claims ON CLUSTER 'burnwatch' AS burnwatch.token_claims
ENGINE = Distributed('burnwatch', 'burnwatch', 'token_claims');

CREATE OR REPLACE TABLE burnwatch_all.resource_points ON CLUSTER 'burnwatch' AS burnwatch.resource_points
ENGINE = Distributed('burnwatch', 'burnwatch', 'resource_points');

CREATE OR REPLACE TABLE burnwatch_all.reprices ON CLUSTER 'burnwatch' AS burnwatch.reprices
ENGINE = Distributed('burnwatch', 'burnwatch', 'reprices');

CREATE OR REPLACE VIEW burnwatch_all.usage ON CLUSTER 'burnwatch' AS
SELECT
  r.ts AS ts, toDate(r.ts) AS day, toStartOfHour(toDateTime(r.ts, 'UTC')) AS hour, r.duration_us AS duration_us,
  r.trace_id AS trace_id, r.span_id AS span_id, r.parent_span_id AS parent_span_id,
  r.tenant AS tenant, r.service AS service, r.environment AS environment, r.feature AS feature, r.user AS user,
  r.session AS session, r.agent AS agent, r.run AS run, r.prompt_name AS prompt_name,
  r.prompt_version AS prompt_version, r.release AS release, r.instance AS instance,
  r.operation AS operation, r.provider AS provider, r.model AS model, r.request_model AS request_model,
  r.response_id AS response_id, r.finish_reason AS finish_reason, r.status AS status, r.error_type AS error_type,
  r.tool AS tool, r.tool_args_hash AS tool_args_hash, if(r.prompt_hash = 0, '', leftPad(lower(hex(r.prompt_hash)), 16, '0')) AS prompt_hash,
  r.outcome AS outcome,
  r.input_uncached_tokens + r.cache_read_tokens + r.cache_write_5m_tokens + r.cache_write_1h_tokens AS input_tokens,
  r.cache_read_tokens AS cache_read_tokens,
  r.cache_write_5m_tokens + r.cache_write_1h_tokens AS cache_write_tokens,
  r.output_visible_tokens + r.reasoning_tokens AS output_tokens,
  r.reasoning_tokens AS reasoning_tokens,
  r.calls AS calls, r.unpriced_calls AS unpriced_calls,
  r.cost_usd AS cost_usd, if(isNull(r.cost_usd), NULL, CAST((toInt64(intDiv(toInt128(r.input_uncached_tokens) * toInt64OrZero(substring(r.price_tag, 1, 17)), 1000000000)) + bitAnd(bitShiftRight(r.cost_carry, 0), 1) * r.calls) AS Decimal(38, 9)) / 1000000000) AS cost_input_usd,
  if(isNull(r.cost_usd), NULL, CAST((toInt64(intDiv(toInt128(r.cache_read_tokens) * toInt64OrZero(substring(r.price_tag, 18, 17)), 1000000000)) + bitAnd(bitShiftRight(r.cost_carry, 1), 1) * r.calls) AS Decimal(38, 9)) / 1000000000) AS cost_cache_read_usd,
  if(isNull(r.cost_usd), NULL, CAST((toInt64(intDiv(toInt128(r.cache_write_5m_tokens) * toInt64OrZero(substring(r.price_tag, 35, 17)) + toInt128(r.cache_write_1h_tokens) * toInt64OrZero(substring(r.price_tag, 52, 17)), 1000000000)) + bitAnd(bitShiftRight(r.cost_carry, 2), 1) * r.calls) AS Decimal(38, 9)) / 1000000000) AS cost_cache_write_usd,
  if(isNull(r.cost_usd), NULL, CAST((toInt64(intDiv(toInt128(r.output_visible_tokens) * toInt64OrZero(substring(r.price_tag, 69, 17)), 1000000000)) + bitAnd(bitShiftRight(r.cost_carry, 3), 1) * r.calls) AS Decimal(38, 9)) / 1000000000) AS cost_output_usd,
  if(isNull(r.cost_usd), NULL, CAST((toInt64(intDiv(toInt128(r.reasoning_tokens) * toInt64OrZero(substring(r.price_tag, 86, 17)), 1000000000)) + bitAnd(bitShiftRight(r.cost_carry, 4), 1) * r.calls) AS Decimal(38, 9)) / 1000000000) AS cost_reasoning_usd,
  if(isNull(r.cost_usd), NULL, r.cost_usd - (CAST((toInt64(intDiv(toInt128(r.input_uncached_tokens) * toInt64OrZero(substring(r.price_tag, 1, 17)), 1000000000)) + bitAnd(bitShiftRight(r.cost_carry, 0), 1) * r.calls) + (toInt64(intDiv(toInt128(r.cache_read_tokens) * toInt64OrZero(substring(r.price_tag, 18, 17)), 1000000000)) + bitAnd(bitShiftRight(r.cost_carry, 1), 1) * r.calls) + (toInt64(intDiv(toInt128(r.cache_write_5m_tokens) * toInt64OrZero(substring(r.price_tag, 35, 17)) + toInt128(r.cache_write_1h_tokens) * toInt64OrZero(substring(r.price_tag, 52, 17)), 1000000000)) + bitAnd(bitShiftRight(r.cost_carry, 2), 1) * r.calls) + (toInt64(intDiv(toInt128(r.output_visible_tokens) * toInt64OrZero(substring(r.price_tag, 69, 17)), 1000000000)) + bitAnd(bitShiftRight(r.cost_carry, 3), 1) * r.calls) + (toInt64(intDiv(toInt128(r.reasoning_tokens) * toInt64OrZero(substring(r.price_tag, 86, 17)), 1000000000)) + bitAnd(bitShiftRight(r.cost_carry, 4), 1) * r.calls) AS Decimal(38, 9)) / 1000000000)) AS cost_other_usd,
  r.cost_status AS cost_status, r.cost_reported_usd AS cost_reported_usd,
  splitByChar(' ', substring(r.price_tag, 104))[1] AS price_source,
  splitByChar(' ', substring(r.price_tag, 104))[2] AS price_version,
  r.images AS images, r.audio_ms AS audio_ms,
  r.audio_input_tokens AS audio_input_tokens, r.audio_cache_read_tokens AS audio_cache_read_tokens, r.audio_output_tokens AS audio_output_tokens, r.image_input_tokens AS image_input_tokens, r.image_cache_read_tokens AS image_cache_read_tokens, r.image_output_tokens AS image_output_tokens, r.service_tier AS service_tier,
  r.revision AS revision, r.repricings AS repricings, r.flags AS flags
FROM burnwatch_all.usage_records AS r;

CREATE OR REPLACE VIEW burnwatch_all.usage_by_15m ON CLUSTER 'burnwatch' AS
SELECT r.slot AS slot,
  r.tenant AS tenant, r.feature AS feature, r.model AS model, r.service AS service, r.environment AS environment, r.provider AS provider, r.operation AS operation, r.cost_status AS cost_status, r.prompt_name AS prompt_name, r.prompt_version AS prompt_version,
  sum(r.records) AS records, sum(r.calls) AS calls, sum(r.errors) AS errors, sum(r.unpriced_calls) AS unpriced_calls,
  sum(r.input_uncached_tokens + r.cache_read_tokens + r.cache_write_5m_tokens + r.cache_write_1h_tokens) AS input_tokens,
  sum(r.cache_read_tokens) AS cache_read_tokens,
  sum(r.cache_write_5m_tokens + r.cache_write_1h_tokens) AS cache_write_tokens,
  sum(r.output_visible_tokens + r.reasoning_tokens) AS output_tokens,
  sum(r.reasoning_tokens) AS reasoning_tokens,
  sum(r.call_duration_us) AS call_duration_us,
  if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd)) AS cost_usd,
  if(isNull(if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd))), NULL, CAST(sum(r.input_nano_usd) AS Decimal(38, 9)) / 1000000000) AS cost_input_usd,
  if(isNull(if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd))), NULL, CAST(sum(r.cache_read_nano_usd) AS Decimal(38, 9)) / 1000000000) AS cost_cache_read_usd,
  if(isNull(if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd))), NULL, CAST(sum(r.cache_write_nano_usd) AS Decimal(38, 9)) / 1000000000) AS cost_cache_write_usd,
  if(isNull(if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd))), NULL, CAST(sum(r.output_nano_usd) AS Decimal(38, 9)) / 1000000000) AS cost_output_usd,
  if(isNull(if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd))), NULL, CAST(sum(r.reasoning_nano_usd) AS Decimal(38, 9)) / 1000000000) AS cost_reasoning_usd,
  if(isNull(if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd))), NULL, sum(r.cost_usd) - (CAST(sum(r.input_nano_usd) + sum(r.cache_read_nano_usd) + sum(r.cache_write_nano_usd) + sum(r.output_nano_usd) + sum(r.reasoning_nano_usd) AS Decimal(38, 9)) / 1000000000)) AS cost_other_usd
FROM burnwatch_all.usage_rollup_15m AS r
GROUP BY slot, r.tenant, r.feature, r.model, r.service, r.environment, r.provider, r.operation, r.cost_status, r.prompt_name, r.prompt_version;

CREATE OR REPLACE VIEW burnwatch_all.usage_by_hour ON CLUSTER 'burnwatch' AS
SELECT toStartOfHour(r.slot) AS hour,
  r.tenant AS tenant, r.feature AS feature, r.model AS model, r.service AS service, r.environment AS environment, r.provider AS provider, r.operation AS operation, r.cost_status AS cost_status, r.prompt_name AS prompt_name, r.prompt_version AS prompt_version,
  sum(r.records) AS records, sum(r.calls) AS calls, sum(r.errors) AS errors, sum(r.unpriced_calls) AS unpriced_calls,
  sum(r.input_uncached_tokens + r.cache_read_tokens + r.cache_write_5m_tokens + r.cache_write_1h_tokens) AS input_tokens,
  sum(r.cache_read_tokens) AS cache_read_tokens,
  sum(r.cache_write_5m_tokens + r.cache_write_1h_tokens) AS cache_write_tokens,
  sum(r.output_visible_tokens + r.reasoning_tokens) AS output_tokens,
  sum(r.reasoning_tokens) AS reasoning_tokens,
  sum(r.call_duration_us) AS call_duration_us,
  if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd)) AS cost_usd,
  if(isNull(if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd))), NULL, CAST(sum(r.input_nano_usd) AS Decimal(38, 9)) / 1000000000) AS cost_input_usd,
  if(isNull(if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd))), NULL, CAST(sum(r.cache_read_nano_usd) AS Decimal(38, 9)) / 1000000000) AS cost_cache_read_usd,
  if(isNull(if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd))), NULL, CAST(sum(r.cache_write_nano_usd) AS Decimal(38, 9)) / 1000000000) AS cost_cache_write_usd,
  if(isNull(if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd))), NULL, CAST(sum(r.output_nano_usd) AS Decimal(38, 9)) / 1000000000) AS cost_output_usd,
  if(isNull(if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd))), NULL, CAST(sum(r.reasoning_nano_usd) AS Decimal(38, 9)) / 1000000000) AS cost_reasoning_usd,
  if(isNull(if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd))), NULL, sum(r.cost_usd) - (CAST(sum(r.input_nano_usd) + sum(r.cache_read_nano_usd) + sum(r.cache_write_nano_usd) + sum(r.output_nano_usd) + sum(r.reasoning_nano_usd) AS Decimal(38, 9)) / 1000000000)) AS cost_other_usd
FROM burnwatch_all.usage_rollup_15m AS r
GROUP BY hour, r.tenant, r.feature, r.model, r.service, r.environment, r.provider, r.operation, r.cost_status, r.prompt_name, r.prompt_version;

CREATE OR REPLACE VIEW burnwatch_all.usage_by_day ON CLUSTER 'burnwatch' AS
SELECT r.day AS day,
  r.tenant AS tenant, r.feature AS feature, r.model AS model, r.service AS service, r.environment AS environment, r.provider AS provider, r.operation AS operation, r.cost_status AS cost_status, r.prompt_name AS prompt_name, r.prompt_version AS prompt_version,
  sum(r.records) AS records, sum(r.calls) AS calls, sum(r.errors) AS errors, sum(r.unpriced_calls) AS unpriced_calls,
  sum(r.input_uncached_tokens + r.cache_read_tokens + r.cache_write_5m_tokens + r.cache_write_1h_tokens) AS input_tokens,
  sum(r.cache_read_tokens) AS cache_read_tokens,
  sum(r.cache_write_5m_tokens + r.cache_write_1h_tokens) AS cache_write_tokens,
  sum(r.output_visible_tokens + r.reasoning_tokens) AS output_tokens,
  sum(r.reasoning_tokens) AS reasoning_tokens,
  sum(r.call_duration_us) AS call_duration_us,
  if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd)) AS cost_usd,
  if(isNull(if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd))), NULL, CAST(sum(r.input_nano_usd) AS Decimal(38, 9)) / 1000000000) AS cost_input_usd,
  if(isNull(if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd))), NULL, CAST(sum(r.cache_read_nano_usd) AS Decimal(38, 9)) / 1000000000) AS cost_cache_read_usd,
  if(isNull(if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd))), NULL, CAST(sum(r.cache_write_nano_usd) AS Decimal(38, 9)) / 1000000000) AS cost_cache_write_usd,
  if(isNull(if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd))), NULL, CAST(sum(r.output_nano_usd) AS Decimal(38, 9)) / 1000000000) AS cost_output_usd,
  if(isNull(if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd))), NULL, CAST(sum(r.reasoning_nano_usd) AS Decimal(38, 9)) / 1000000000) AS cost_reasoning_usd,
  if(isNull(if(sum(r.priced_records) = 0 AND sum(r.unpriced_calls) != 0, NULL, sum(r.cost_usd))), NULL, sum(r.cost_usd) - (CAST(sum(r.input_nano_usd) + sum(r.cache_read_nano_usd) + sum(r.cache_write_nano_usd) + sum(r.output_nano_usd) + sum(r.reasoning_nano_usd) AS Decimal(38, 9)) / 1000000000)) AS cost_other_usd
FROM burnwatch_all.usage_rollup_1d AS r
GROUP BY day, r.tenant, r.feature, r.model, r.service, r.environment, r.provider, r.operation, r.cost_status, r.prompt_name, r.prompt_version;

CREATE OR REPLACE VIEW burnwatch_all.resource_metrics ON CLUSTER 'burnwatch' AS
SELECT toStartOfMinute(toDateTime(p.ts, 'UTC')) AS minute, p.service AS service, p.instance AS instance,
  p.device AS device, p.model AS model, p.labels AS labels, p.name AS name, p.unit AS unit, p.kind AS kind,
  min(p.value) AS min, max(p.value) AS max, sum(p.increase) AS sum, count() AS count, argMax(p.value, p.ts) AS last
FROM burnwatch_all.resource_points AS p FINAL
GROUP BY minute, p.service, p.instance, p.device, p.model, p.labels, p.name, p.unit, p.kind, p.series;
