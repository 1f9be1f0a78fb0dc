/**
 * The names people use in their own SQL. `usage` shows every record with the totals derived; `usage_by_15m`,
 * `usage_by_hour` and `usage_by_day` (UTC) show the rollup. Any sum over a view equals the sum over the base table.
 */

import { ratesOfTagLength } from "../model/price-tag.ts";
import { costParts, partNanoUsd, usdOfNano } from "./cost-split.ts";
import { hashAsHex, modalityColumns, type Rollup, rollup1d, rollup15m, rollupDimensions } from "./schema.ts";

/**
 * Dollars of a group: null only where calls are unpriced and none is priced. A group whose records cancel out is 0.
 * Both arguments are SQL over rows of the rollup.
 */
export function groupCostUsd({ cost, priced, unpriced }: { cost: string; priced: string; unpriced: string }): string {
  return `if(${priced} = 0 AND ${unpriced} != 0, NULL, ${cost})`;
}

/** A cost's parts in dollars; what they leave of the whole is `cost_other_usd`. Null where the cost is. */
function splitOf(cost: string, nano: (part: (typeof costParts)[number]) => string, isUnknown: string): string {
  const parts = costParts.map((part) => ({ shown: part.shown, usd: usdOfNano(nano(part)) }));
  const rest = `${cost} - (${usdOfNano(costParts.map(nano).join(" + "))})`;
  return [...parts, { shown: "cost_other_usd", usd: rest }]
    .map(({ shown, usd }) => `if(${isUnknown}, NULL, ${usd}) AS ${shown}`)
    .join(",\n  ");
}

export const createUsageView = `CREATE OR REPLACE VIEW usage AS
SELECT
  r.ts AS ts, toDate(r.ts) AS day, toStartOfHour(toDateTime(r.ts, 'UTC')) AS hour, r.duration_us AS duration_us,
  r.trace_id AS trace_id, r.span_id AS span_id, r.parent_span_id AS parent_span_id,
  r.tenant AS tenant, r.service AS service, r.environment AS environment, r.feature AS feature, r.user AS user,
  r.session AS session, r.agent AS agent, r.run AS run, r.prompt_name AS prompt_name,
  r.prompt_version AS prompt_version, r.release AS release, r.instance AS instance,
  r.operation AS operation, r.provider AS provider, r.model AS model, r.request_model AS request_model,
  r.response_id AS response_id, r.finish_reason AS finish_reason, r.status AS status, r.error_type AS error_type,
  r.tool AS tool, r.tool_args_hash AS tool_args_hash, ${hashAsHex("r.prompt_hash")} AS prompt_hash,
  r.outcome AS outcome,
  r.input_uncached_tokens + r.cache_read_tokens + r.cache_write_5m_tokens + r.cache_write_1h_tokens AS input_tokens,
  r.cache_read_tokens AS cache_read_tokens,
  r.cache_write_5m_tokens + r.cache_write_1h_tokens AS cache_write_tokens,
  r.output_visible_tokens + r.reasoning_tokens AS output_tokens,
  r.reasoning_tokens AS reasoning_tokens,
  r.calls AS calls, r.unpriced_calls AS unpriced_calls,
  r.cost_usd AS cost_usd, ${splitOf("r.cost_usd", ({ kind }) => partNanoUsd(kind), "isNull(r.cost_usd)")},
  r.cost_status AS cost_status, r.cost_reported_usd AS cost_reported_usd,
  splitByChar(' ', substring(r.price_tag, ${ratesOfTagLength + 2}))[1] AS price_source,
  splitByChar(' ', substring(r.price_tag, ${ratesOfTagLength + 2}))[2] AS price_version,
  r.images AS images, r.audio_ms AS audio_ms,
  ${modalityColumns.map(({ name }) => `r.${name} AS ${name}`).join(", ")}, r.service_tier AS service_tier,
  r.revision AS revision, r.repricings AS repricings, r.flags AS flags
FROM usage_records AS r`;

export const createRollupViews = [
  createRollupView({ view: "usage_by_15m", from: rollup15m, name: "slot", time: "r.slot" }),
  createRollupView({ view: "usage_by_hour", from: rollup15m, name: "hour", time: "toStartOfHour(r.slot)" }),
  createRollupView({ view: "usage_by_day", from: rollup1d, name: "day", time: "r.day" }),
];

interface RollupView {
  readonly view: string;
  readonly from: Rollup;
  readonly name: string;
  readonly time: string;
}

/** Grouped again on reading: the rollup's parts hold one row per insert until they are merged. */
function createRollupView({ view, from, name: timeName, time }: RollupView): string {
  const cost = groupCostUsd({
    cost: "sum(r.cost_usd)",
    priced: "sum(r.priced_records)",
    unpriced: "sum(r.unpriced_calls)",
  });
  const split = splitOf("sum(r.cost_usd)", ({ name }) => `sum(r.${name})`, `isNull(${cost})`);
  return `CREATE OR REPLACE VIEW ${view} AS
SELECT ${time} AS ${timeName},
  ${rollupDimensions.map((name) => `r.${name} AS ${name}`).join(", ")},
  sum(r.records) AS records, sum(r.calls) AS calls, sum(r.errors) AS errors, sum(r.unpriced_calls) AS unpriced_calls,
  sum(r.input_uncached_tokens + r.cache_read_tokens + r.cache_write_5m_tokens + r.cache_write_1h_tokens) AS input_tokens,
  sum(r.cache_read_tokens) AS cache_read_tokens,
  sum(r.cache_write_5m_tokens + r.cache_write_1h_tokens) AS cache_write_tokens,
  sum(r.output_visible_tokens + r.reasoning_tokens) AS output_tokens,
  sum(r.reasoning_tokens) AS reasoning_tokens,
  sum(r.call_duration_us) AS call_duration_us,
  ${cost} AS cost_usd,
  ${split}
FROM ${from.table} AS r
GROUP BY ${timeName}, ${rollupDimensions.map((name) => `r.${name}`).join(", ")}`;
}
