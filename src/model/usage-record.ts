/** One call or operation: usage, attribution, provider, model, cost and quality flags. The unit of both sums and logs. */

import type { NanoUsd } from "./money.ts";
import type { Modalities, Usage } from "./usage.ts";

/** Who and what a call was for. Empty string where unknown; `tenant` is never empty. */
export interface Attribution {
  readonly tenant: string;
  readonly service: string;
  readonly environment: string;
  readonly feature: string;
  readonly user: string;
  readonly session: string;
  readonly agent: string;
  readonly run: string;
  readonly promptName: string;
  readonly promptVersion: string;
  readonly release: string;
}

/** Kinds of operation that are kept; every other span is counted, not stored. */
export type Operation =
  | "chat"
  | "text_completion"
  | "generate_content"
  | "embeddings"
  | "rerank"
  | "retrieval"
  | "execute_tool"
  /** The sum over the calls of an agent, a workflow or a step: billed only where none of those was seen. */
  | "invoke_agent";

/** `leaf` is billed; `rollup` repeats its children; `duplicate` is the same call seen twice. Only leaves are summed. */
export type Role = "leaf" | "rollup" | "duplicate";

/**
 * `priced`: rates times tokens. `unpriced_model`: no rate known, cost null. `no_usage`: the call failed or reported no
 * tokens, cost null unless it was an error. `estimated`: tokens were guessed by the emitter. `reported`: the emitter's
 * own cost. `not_billable`: tools and retrieval, which nobody bills by token, cost 0.
 */
export type CostStatus = "priced" | "unpriced_model" | "no_usage" | "estimated" | "reported" | "not_billable";

export interface UsageRecord extends Attribution {
  /** The process that sent it, OpenTelemetry's `service.instance.id`; "" where unknown. No dimension: it dies with it. */
  readonly instance: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  /** Unix microseconds; prices are those valid at this time and rollups count it here. */
  readonly startUs: number;
  /** Unix microseconds, never before `startUs`. */
  readonly endUs: number;
  readonly operation: Operation;
  /** Provider id as OpenTelemetry spells it, e.g. `openai`, `azure.ai.openai`. */
  readonly provider: string;
  /** The model that answered, or the requested one where the answer does not say. */
  readonly model: string;
  readonly requestModel: string;
  readonly responseId: string;
  readonly finishReason: string;
  readonly status: "ok" | "error";
  readonly errorType: string;
  readonly tool: string;
  readonly toolArgsHash: string;
  /** Keyed hash of model and whole prompt, 16 hex digits; "" where the emitter tells none. */
  readonly promptHash: string;
  readonly outcome: string;
  readonly usage: Usage;
  /** What of it is no text; null where the producer tells of none. */
  readonly modalities: Modalities | null;
  /** Images made and milliseconds of audio heard, where the producer counts them; else 0. */
  readonly images: number;
  readonly audioMs: number;
  /** `batch`, `flex`, `priority` ... as the provider named it; "" where unknown. */
  readonly serviceTier: string;
  /** 1 for a billed leaf, 0 for operations nobody bills, negative in a correction; as many as were summed up in a sum. */
  readonly calls: number;
  /** Null when the price is unknown, never 0 for that reason. */
  readonly costNanoUsd: NanoUsd | null;
  readonly costStatus: CostStatus;
  /** What it was billed at (model/price-tag.ts); "" where no rate was applied. With tokens and `costCarry`, the split. */
  readonly priceTag: string;
  /** Bits over `costKinds`: the parts of the cost that got the nano-dollars which rounding down had left over. */
  readonly costCarry: number;
  /** The emitter's own figure, kept beside ours. */
  readonly reportedNanoUsd: NanoUsd | null;
  /** 0 at first sight; a correction has a higher one. What the emitter called it, plus `repricings`. */
  readonly revision: number;
  /** How often we corrected this record, for its price or for its role: its emitter does not know. */
  readonly repricings: number;
  /**
   * Doubts about the input, e.g. `time_missing`, `cache_semantics_assumed`, and how the request went: `repeated_attempt`,
   * `answer_cut_off`. Sorted.
   */
  readonly flags: readonly string[];
}

/** Microseconds a call took. */
export function durationUs(record: Pick<UsageRecord, "startUs" | "endUs">): number {
  return record.endUs - record.startUs;
}
