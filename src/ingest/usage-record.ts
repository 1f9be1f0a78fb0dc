/** From a span and its reading to the record that is stored: times made sane, the price looked up, doubts flagged. */

import { revision } from "../dialects/attributes.ts";
import type { Reading } from "../dialects/dialect.ts";
import type { Span } from "../model/span.ts";
import { noUsage, totalInput, totalOutput } from "../model/usage.ts";
import type { CostStatus, UsageRecord } from "../model/usage-record.ts";
import { listCost } from "../pricing/list-cost.ts";
import type { PriceBook } from "../pricing/price-book.ts";

/** A producer's clock may run ahead by this much before its times are replaced by the arrival. */
const clockSkewMaxUs = 3_600_000_000;

/** Nobody bills these by the token. */
const unbilledOperations: ReadonlySet<string> = new Set(["execute_tool", "retrieval"]);

/** The record of one span, as it will be summed. */
export function usageRecord(span: Span, reading: Reading, arrivedAtMs: number, prices: PriceBook): UsageRecord {
  const times = saneTimes(span, arrivedAtMs * 1000);
  const billed = !unbilledOperations.has(reading.operation);
  const price = billed
    ? priceOf(reading, span.status, times.startUs, prices)
    : { costNanoUsd: 0, costStatus: "not_billable" as const };
  const flags = [...reading.flags, ...times.flags];
  const { attribution } = reading;
  // Every field in one fixed order: the log codec writes the structure once per entry when all records share it.
  return {
    tenant: attribution.tenant,
    service: attribution.service,
    environment: attribution.environment,
    feature: attribution.feature,
    user: attribution.user,
    session: attribution.session,
    agent: attribution.agent,
    run: attribution.run,
    promptName: attribution.promptName,
    promptVersion: attribution.promptVersion,
    release: attribution.release,
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: span.parentSpanId,
    startUs: times.startUs,
    endUs: times.endUs,
    operation: reading.operation,
    provider: reading.provider,
    model: reading.model,
    requestModel: reading.requestModel,
    responseId: reading.responseId,
    finishReason: reading.finishReason,
    status: span.status,
    errorType: reading.errorType,
    tool: reading.tool,
    toolArgsHash: reading.toolArgsHash,
    outcome: reading.outcome,
    usage: reading.usage ?? noUsage,
    calls: billed ? 1 : 0,
    costNanoUsd: price.costNanoUsd,
    costStatus: price.costStatus,
    reportedNanoUsd: reading.reportedNanoUsd,
    revision: revision(span),
    flags: flags.length > 1 ? flags.sort() : flags,
  };
}

function saneTimes(span: Span, arrivedAtUs: number): { startUs: number; endUs: number; flags: readonly string[] } {
  const { startUs, endUs } = span;
  if (startUs === 0) {
    const at = endUs === 0 || endUs > arrivedAtUs + clockSkewMaxUs ? arrivedAtUs : endUs;
    return { startUs: at, endUs: at, flags: ["time_missing"] };
  }
  if (startUs > arrivedAtUs + clockSkewMaxUs)
    return { startUs: arrivedAtUs, endUs: arrivedAtUs, flags: ["time_clamped"] };
  if (endUs < startUs) return { startUs, endUs: startUs, flags: ["time_reversed"] };
  if (endUs > arrivedAtUs + clockSkewMaxUs) return { startUs, endUs: startUs, flags: ["time_clamped"] };
  return { startUs, endUs, flags: [] };
}

function priceOf(
  reading: Reading,
  status: Span["status"],
  startUs: number,
  prices: PriceBook,
): { costNanoUsd: number | null; costStatus: CostStatus } {
  const { usage } = reading;
  const empty = usage === null || totalInput(usage) + totalOutput(usage) === 0;
  // Providers bill no failed call that reports no tokens; a success that reports none is unknown, not free.
  if (empty && status === "error") return { costNanoUsd: 0, costStatus: "no_usage" };
  const card = prices.find(reading.provider, reading.model, startUs / 1000);
  if (card === null) return { costNanoUsd: null, costStatus: "unpriced_model" };
  if (empty) return { costNanoUsd: null, costStatus: "no_usage" };
  return { costNanoUsd: listCost(usage, card), costStatus: "priced" };
}
