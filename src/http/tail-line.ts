import { formatUsd } from "../model/money.ts";
import { totalInput, totalOutput } from "../model/usage.ts";
import type { UsageRecord } from "../model/usage-record.ts";

/** One call as `burnwatch tail` shows it. */
export function tailLine(record: UsageRecord): Record<string, unknown> {
  return {
    at: new Date(record.endUs / 1000).toISOString(),
    tenant: record.tenant,
    service: record.service,
    feature: record.feature,
    operation: record.operation,
    provider: record.provider,
    model: record.model,
    input_tokens: totalInput(record.usage),
    output_tokens: totalOutput(record.usage),
    cost_usd: record.costNanoUsd === null ? null : formatUsd(record.costNanoUsd),
    cost_status: record.costStatus,
    status: record.status,
  };
}
