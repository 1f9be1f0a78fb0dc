/** A recorded call as a span: OpenTelemetry's current names for generative AI, Burnwatch's where there are none. */

import { type Attributes, type HrTime, SpanKind, type SpanOptions, SpanStatusCode } from "@opentelemetry/api";
import {
  attributionKeys,
  completenessKeys,
  outcomeKeys,
  recordKeys,
  toolArgsHashKey,
} from "../../instrumentation/protocol.ts";
import type { ReplayCall } from "./replay-call.ts";

export interface SpanOfCall {
  readonly name: string;
  readonly options: SpanOptions;
  readonly endTime: HrTime;
  readonly status: SpanStatusCode.UNSET | SpanStatusCode.ERROR;
}

/**
 * The span of a call whose times count from `zeroUs`. An attribute is there only where the trace has its value, so that a collector sees
 * what an instrumentation would have sent.
 */
export function spanOfCall(
  call: ReplayCall,
  position: { readonly zeroUs: number; readonly sequence: number },
): SpanOfCall {
  // A row that names a tool and no model is the tool's own execution; with a model it is the call that asked for the tool.
  const operation = call.tool !== "" && call.model === "" ? "execute_tool" : "chat";
  const subject = operation === "chat" ? call.model : call.tool;
  return {
    name: subject === "" ? operation : `${operation} ${subject}`,
    options: {
      kind: operation === "chat" ? SpanKind.CLIENT : SpanKind.INTERNAL,
      root: true,
      startTime: hrTime(position.zeroUs + call.startUs),
      attributes: {
        "gen_ai.operation.name": operation,
        ...present(textsOf(call)),
        ...tokensOf(call),
        ...(call.finishReason === "" ? {} : { "gen_ai.response.finish_reasons": [call.finishReason] }),
        [completenessKeys.sequence]: position.sequence,
      },
    },
    endTime: hrTime(position.zeroUs + call.endUs),
    status: call.errorType === "" ? SpanStatusCode.UNSET : SpanStatusCode.ERROR,
  };
}

function textsOf(call: ReplayCall): Readonly<Record<string, string>> {
  return {
    "gen_ai.provider.name": call.provider,
    "gen_ai.request.model": call.model,
    "gen_ai.response.model": call.responseModel,
    "error.type": call.errorType,
    "gen_ai.tool.name": call.tool,
    [toolArgsHashKey]: call.toolArgsHash,
    [recordKeys.promptHash]: call.promptHash,
    [attributionKeys.tenant]: call.tenant,
    [attributionKeys.feature]: call.feature,
    [attributionKeys.user]: call.user,
    [attributionKeys.session]: call.session,
    [attributionKeys.agent]: call.agent,
    [attributionKeys.run]: call.run,
    [attributionKeys.promptName]: call.promptName,
    [attributionKeys.promptVersion]: call.promptVersion,
    [attributionKeys.outcome]: call.outcome,
    [outcomeKeys.revenueUsd]: call.revenueUsd,
  };
}

function tokensOf(call: ReplayCall): Attributes {
  const counts: Readonly<Record<string, number | undefined>> = {
    "gen_ai.usage.input_tokens": call.inputTokens,
    "gen_ai.usage.cache_read.input_tokens": call.cacheReadTokens,
    "gen_ai.usage.cache_write.input_tokens": call.cacheWriteTokens,
    "gen_ai.usage.output_tokens": call.outputTokens,
    "gen_ai.usage.reasoning.output_tokens": call.reasoningTokens,
  };
  const attributes: Attributes = {};
  for (const key in counts) if (counts[key] !== undefined) attributes[key] = counts[key];
  return attributes;
}

function present(texts: Readonly<Record<string, string>>): Attributes {
  const attributes: Attributes = {};
  for (const key in texts) if (texts[key] !== "") attributes[key] = texts[key];
  return attributes;
}

/** Seconds and nanoseconds, exact to the microsecond: a number of milliseconds would not be. */
export function hrTime(us: number): HrTime {
  const seconds = Math.floor(us / 1e6);
  return [seconds, Math.round(us - seconds * 1e6) * 1000];
}
