/** A recorded call as the usage record that the collector would make of it, without a server in between. */

import { noUsage, type Usage } from "../model/usage.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import { listCost } from "../pricing/list-cost.ts";
import type { PriceBook } from "../pricing/price-book.ts";
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
  const priced = isTool ? { costNanoUsd: 0, costStatus: "not_billable" as const } : price(call, usage, startUs, prices);
  return {
    tenant: call.tenant === "" ? tenant : call.tenant,
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
    traceId: ids.traceId(call.traceKey),
    spanId: ids.spanId(call.spanKey),
    parentSpanId: "",
    startUs,
    endUs: zeroUs + call.endUs,
    operation: isTool ? "execute_tool" : "chat",
    provider: call.provider,
    model: call.responseModel || call.model,
    requestModel: call.model,
    responseId: "",
    finishReason: call.finishReason,
    status: call.errorType === "" ? "ok" : "error",
    errorType: call.errorType,
    tool: call.tool,
    toolArgsHash: call.toolArgsHash,
    outcome: call.outcome,
    usage,
    calls: isTool ? 0 : 1,
    ...priced,
    reportedNanoUsd: null,
    revision: 0,
    flags: [],
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

function price(
  call: ReplayCall,
  usage: Usage,
  startUs: number,
  prices: PriceBook,
): Pick<UsageRecord, "costNanoUsd" | "costStatus"> {
  const silent = call.inputTokens === undefined && call.outputTokens === undefined;
  if (silent) return { costNanoUsd: call.errorType === "" ? null : 0, costStatus: "no_usage" };
  const card = prices.find(call.provider, call.responseModel || call.model, startUs / 1000);
  if (card === null) return { costNanoUsd: null, costStatus: "unpriced_model" };
  return { costNanoUsd: listCost(usage, card), costStatus: "priced" };
}
