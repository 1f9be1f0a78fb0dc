/** Rows of the base table as the records they were. */

import type { Modalities } from "../model/usage.ts";
import type { Operation, UsageRecord } from "../model/usage-record.ts";
import { hashAsHex, modalityColumns } from "./schema.ts";

export interface StoredRow {
  readonly [column: string]: string | number | readonly string[] | null;
}

/** What to select from `usage_records`: nothing passes through a float. */
export const storedColumns = `*, toUnixTimestamp64Micro(ts) AS start_us, ${nanoOf("cost_usd")} AS cost_nano,
       ${nanoOf("cost_reported_usd")} AS reported_nano,
       ${hashAsHex("prompt_hash")} AS prompt_hash_hex`;

/** In 64 bits the product of dollars with nine digits and a billion overflows from $9.23 on. */
function nanoOf(column: string): string {
  return `toInt64(toDecimal128(${column}, 9) * 1000000000)`;
}

function modalitiesIn(number: (column: string) => number): Modalities {
  const counts = modalityColumns.map(({ name, modality }) => [modality, number(name)]);
  return Object.fromEntries(counts) as unknown as Modalities;
}

/** The record of a row that was read with `storedColumns`. */
export function recordOfRow(row: StoredRow): UsageRecord {
  const text = (column: string) => String(row[column] ?? "");
  const number = (column: string) => Number(row[column] ?? 0);
  const orNull = (column: string) => (row[column] === null ? null : number(column));
  return {
    tenant: text("tenant"),
    service: text("service"),
    environment: text("environment"),
    feature: text("feature"),
    user: text("user"),
    session: text("session"),
    agent: text("agent"),
    run: text("run"),
    promptName: text("prompt_name"),
    promptVersion: text("prompt_version"),
    release: text("release"),
    instance: text("instance"),
    traceId: text("trace_id"),
    spanId: text("span_id"),
    parentSpanId: text("parent_span_id"),
    startUs: number("start_us"),
    endUs: number("start_us") + number("duration_us"),
    operation: text("operation") as Operation,
    provider: text("provider"),
    model: text("model"),
    requestModel: text("request_model"),
    responseId: text("response_id"),
    finishReason: text("finish_reason"),
    status: text("status") === "error" ? "error" : "ok",
    errorType: text("error_type"),
    tool: text("tool"),
    toolArgsHash: text("tool_args_hash"),
    promptHash: text("prompt_hash_hex"),
    outcome: text("outcome"),
    usage: {
      input: number("input_uncached_tokens"),
      cacheRead: number("cache_read_tokens"),
      cacheWrite5m: number("cache_write_5m_tokens"),
      cacheWrite1h: number("cache_write_1h_tokens"),
      output: number("output_visible_tokens"),
      reasoning: number("reasoning_tokens"),
    },
    modalities: modalityColumns.some(({ name }) => number(name) !== 0) ? modalitiesIn(number) : null,
    images: number("images"),
    audioMs: number("audio_ms"),
    serviceTier: text("service_tier"),
    calls: Math.sign(number("calls")) as UsageRecord["calls"],
    costNanoUsd: orNull("cost_nano"),
    costStatus: text("cost_status") as UsageRecord["costStatus"],
    priceTag: text("price_tag"),
    costCarry: number("cost_carry"),
    reportedNanoUsd: orNull("reported_nano"),
    revision: number("revision"),
    repricings: number("repricings"),
    flags: (row["flags"] as readonly string[] | null) ?? [],
  };
}
