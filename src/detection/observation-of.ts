/** A usage record as the detectors see it. */

import type { Observation } from "../../detectors/detector.ts";
import { totalInput, totalOutput } from "../model/usage.ts";
import type { UsageRecord } from "../model/usage-record.ts";

const truncatedReasons: ReadonlySet<string> = new Set(["length", "max_tokens", "MAX_TOKENS", "max_output_tokens"]);

/**
 * When a record that arrived at `arrivedAtMs` was over. A time later than its arrival is a wrong clock: it is taken as the
 * arrival, or one emitter a day ahead would end every window of its series for a day.
 */
export function timeOf(record: UsageRecord, arrivedAtMs: number): number {
  return Math.min(record.endUs / 1000, arrivedAtMs);
}

/** One record, arrived at `arrivedAtMs` of the log's clock. */
export function observationOf(record: UsageRecord, arrivedAtMs: number): Observation {
  const { usage } = record;
  return {
    atMs: timeOf(record, arrivedAtMs),
    arrivedAtMs,
    tieBreak: tieBreakOf(record.traceId, record.spanId),
    calls: record.calls,
    inputTokens: totalInput(usage),
    cacheReadTokens: usage.cacheRead,
    cacheWriteTokens: usage.cacheWrite5m + usage.cacheWrite1h,
    outputTokens: totalOutput(usage),
    reasoningTokens: usage.reasoning,
    nanoUsd: record.costNanoUsd,
    durationMs: (record.endUs - record.startUs) / 1000,
    failed: record.status === "error",
    truncated: truncatedReasons.has(record.finishReason),
    record,
  };
}

/** FNV-1a over both ids with a finishing mix (MurmurHash3's), as a number in [0, 1). */
export function tieBreakOf(traceId: string, spanId: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < traceId.length; i++) hash = Math.imul(hash ^ traceId.charCodeAt(i), 0x01000193);
  for (let i = 0; i < spanId.length; i++) hash = Math.imul(hash ^ spanId.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
