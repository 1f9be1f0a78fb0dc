/** From a span and its reading to the record that is stored: times made sane, the price looked up, doubts flagged. */

import { completenessKeys, recordKeys } from "../../instrumentation/protocol.ts";
import { revision, text } from "../dialects/attributes.ts";
import type { Reading } from "../dialects/dialect.ts";
import type { Span } from "../model/span.ts";
import { noUsage } from "../model/usage.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import type { PriceBook } from "../pricing/price-book.ts";
import { isBilled, priceCall } from "../pricing/price-call.ts";

/** A producer's clock may run ahead by this much before its times are replaced by the arrival. */
const clockSkewMaxUs = 3_600_000_000;

/** Quantities besides tokens that a price list may have a rate for; OpenTelemetry names neither. */
const imagesKey = "gen_ai.usage.images";
/** More than any one call can have: a producer's mistake. */
const imagesMax = 10_000;
const audioSecondsMax = 86_400;

/** The record of one span, as it will be summed. */
export function usageRecord(span: Span, reading: Reading, arrivedAtMs: number, prices: PriceBook): UsageRecord {
  const times = saneTimes(span, arrivedAtMs * 1000);
  const { attribution } = reading;
  const images = Math.floor(quantity(span, imagesKey, imagesMax));
  const audioMs = Math.round(quantity(span, recordKeys.audioSeconds, audioSecondsMax) * 1000);
  const price = priceCall(
    {
      tenant: attribution.tenant,
      provider: reading.provider,
      model: reading.model,
      operation: reading.operation,
      serviceTier: reading.serviceTier,
      startUs: times.startUs,
      status: span.status,
      usage: reading.usage ?? noUsage,
      modalities: reading.modalities,
      images,
      audioMs,
      reportedNanoUsd: reading.reportedNanoUsd,
      flags: times.flags.length === 0 ? reading.flags : [...reading.flags, ...times.flags],
    },
    prices,
  );
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
    instance: text(span.resource[completenessKeys.producer]),
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
    promptHash: reading.promptHash,
    outcome: reading.outcome,
    usage: reading.usage ?? noUsage,
    modalities: reading.modalities,
    images,
    audioMs,
    serviceTier: reading.serviceTier,
    calls: isBilled(reading.operation) ? 1 : 0,
    costNanoUsd: price.costNanoUsd,
    costStatus: price.costStatus,
    priceTag: price.priceTag,
    costCarry: price.costCarry,
    reportedNanoUsd: reading.reportedNanoUsd,
    revision: revision(span),
    repricings: 0,
    flags: price.flags.length > 1 ? [...price.flags].sort() : price.flags,
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

/** A plain count under a key, 0 where there is none or it is absurd. */
function quantity(span: Span, key: string, most: number): number {
  const value = span.attributes[key];
  return typeof value === "number" && value >= 0 && value <= most ? value : 0;
}
