/** A recorded call as the usage record that the collector would make of it, without a server in between. */

import { noUsage, type Usage } from "../model/usage.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import type { PriceBook } from "../pricing/price-book.ts";
import { priceCall } from "../pricing/price-call.ts";
import type { ReplayCall } from "./replay-call.ts";
import type { ReplayIds } from "./replay-ids.ts";

export interface RecordOptions {
  /** Unix microseconds of the trace's time 0. */
  readonly zeroUs: number;
  readonly ids: ReplayIds;
  readonly prices: PriceBook;
  /** Of calls that name none. */
  readonly tenant: string;
}

/** The record of a call, at list price. Cached tokens are within the input tokens of a trace, reasoning within its output. */
export function usageOfCall(call: ReplayCall, { zeroUs, ids, prices, tenant }: RecordOptions): UsageRecord {
  const isTool = call.tool !== "" && call.model === "";
  const usage = usageOf(call);
  const startUs = zeroUs + call.startUs;
  const asked = {
    tenant: call.tenant === "" ? tenant : call.tenant,
    operation: isTool ? ("execute_tool" as const) : ("chat" as const),
    provider: call.provider,
    model: call.responseModel || call.model,
    status: call.errorType === "" ? ("ok" as const) : ("error" as const),
    usage,
    modalities: null,
    images: 0,
    audioMs: 0,
    serviceTier: "",
    startUs,
    reportedNanoUsd: null,
    flags: [],
  };
  return {
    ...asked,
    ...priceCall(asked, prices),
    service: call.service,
    environment: "",
    feature: call.feature,
    user: call.user,
    session: call.session,
    agent: call.agent,
    run: call.run,
    promptName: call.promptName,
    promptVersion: call.promptVersion,
    release: "",
    instance: "",
    traceId: ids.traceId(call.traceKey),
    spanId: ids.spanId(call.spanKey),
    parentSpanId: "",
    endUs: zeroUs + call.endUs,
    requestModel: call.model,
    responseId: "",
    finishReason: call.finishReason,
    errorType: call.errorType,
    tool: call.tool,
    toolArgsHash: call.toolArgsHash,
    promptHash: call.promptHash,
    outcome: call.outcome,
    calls: isTool ? 0 : 1,
    revision: 0,
    repricings: 0,
  };
}

function usageOf(call: ReplayCall): Usage {
  const { inputTokens = 0, cacheReadTokens = 0, cacheWriteTokens = 0, outputTokens = 0, reasoningTokens = 0 } = call;
  return {
    ...noUsage,
    input: Math.max(0, inputTokens - cacheReadTokens - cacheWriteTokens),
    cacheRead: cacheReadTokens,
    cacheWrite5m: cacheWriteTokens,
    output: Math.max(0, outputTokens - reasoningTokens),
    reasoning: reasoningTokens,
  };
}
