/**
 * OpenTelemetry's GenAI semantic conventions: the current keys, and the old ones that live on in the field.
 * Source: open-telemetry/semantic-conventions-genai; old: semantic-conventions up to 1.36.
 */

import { recordKeys, toolArgsHashKey } from "../../instrumentation/protocol.ts";
import type { Span } from "../model/span.ts";
import type { Operation } from "../model/usage-record.ts";
import { attribution, commonKeys, firstText, text, tokenCount } from "./attributes.ts";
import type { Dialect, Reading } from "./dialect.ts";
import { otelGenaiExamples } from "./otel-genai.examples.ts";
import { disjointUsage } from "./token-algebra.ts";

const operations: Readonly<Record<string, Operation>> = {
  chat: "chat",
  text_completion: "text_completion",
  generate_content: "generate_content",
  embeddings: "embeddings",
  rerank: "rerank",
  retrieval: "retrieval",
  execute_tool: "execute_tool",
};

const usagePrefix = "gen_ai.usage.";
const inputKeys = ["gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"];
const outputKeys = ["gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"];
const cacheReadKeys = ["gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens"];
const cacheWriteKeys = [
  "gen_ai.usage.cache_write.input_tokens",
  "gen_ai.usage.cache_creation.input_tokens",
  "gen_ai.usage.cache_write_input_tokens",
  "gen_ai.usage.cache_creation_input_tokens",
];
const cacheWrite1hKeys = [
  "gen_ai.usage.cache_write.ephemeral_1h_input_tokens",
  "anthropic.usage.cache_creation.ephemeral_1h_input_tokens",
];
const reasoningKeys = ["gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens"];

/** Models' names are reported with the request and again with the answer; the answer's is what is billed. */
const keys = [
  ...commonKeys,
  "gen_ai.operation.name",
  "gen_ai.provider.name",
  "gen_ai.system",
  "gen_ai.request.model",
  "gen_ai.response.model",
  "gen_ai.response.id",
  "gen_ai.response.finish_reasons",
  "gen_ai.tool.name",
  recordKeys.attempt,
  recordKeys.partial,
  ...cacheWrite1hKeys,
];

function matches(span: Span): boolean {
  const { attributes } = span;
  return (
    attributes["gen_ai.operation.name"] !== undefined ||
    attributes["gen_ai.provider.name"] !== undefined ||
    attributes["gen_ai.system"] !== undefined
  );
}

function read(span: Span): Reading | null {
  const { attributes } = span;
  const operation = operationOf(span);
  if (operation === undefined) return null;
  const { usage, flags } = usageOf(span);
  const facts = [...flags, ...deliveryFlags(attributes)];
  const requestModel = text(attributes["gen_ai.request.model"]);
  return {
    operation,
    attribution: attribution(span),
    provider: text(attributes["gen_ai.provider.name"]) || text(attributes["gen_ai.system"]),
    model: text(attributes["gen_ai.response.model"]) || requestModel,
    requestModel,
    responseId: text(attributes["gen_ai.response.id"]),
    finishReason: firstText(attributes["gen_ai.response.finish_reasons"]),
    errorType: text(attributes["error.type"]),
    tool: text(attributes["gen_ai.tool.name"]),
    toolArgsHash: text(attributes[toolArgsHashKey]),
    outcome: text(attributes["burnwatch.outcome"]),
    usage,
    reportedNanoUsd: null,
    flags: facts,
  };
}

/** What the emitter says of how a request went: detectors of retries and of stuck streams read it. */
function deliveryFlags(attributes: Span["attributes"]): readonly string[] {
  const attempt = Number(attributes[recordKeys.attempt] ?? 1);
  const cutOff = attributes[recordKeys.partial] === true;
  return [...(attempt > 1 ? ["repeated_attempt"] : []), ...(cutOff ? ["answer_cut_off"] : [])];
}

/** Old producers name no operation: one that reports tokens of a model is a chat. */
function operationOf(span: Span): Operation | undefined {
  const name = span.attributes["gen_ai.operation.name"];
  if (name !== undefined) return Object.hasOwn(operations, text(name)) ? operations[text(name)] : undefined;
  const reportsTokens = [...inputKeys, ...outputKeys].some((key) => span.attributes[key] !== undefined);
  return reportsTokens ? "chat" : undefined;
}

function usageOf(span: Span) {
  const input = tokenCount(span, inputKeys);
  const output = tokenCount(span, outputKeys);
  const cacheRead = tokenCount(span, cacheReadKeys);
  const cacheWrite = tokenCount(span, cacheWriteKeys);
  const cacheWrite1h = tokenCount(span, cacheWrite1hKeys);
  const reasoning = tokenCount(span, reasoningKeys);
  const { usage, flags } = disjointUsage({
    input: input.tokens,
    output: output.tokens,
    cacheRead: cacheRead.tokens,
    cacheWrite: cacheWrite.tokens,
    cacheWrite1h: cacheWrite1h.tokens,
    reasoning: reasoning.tokens,
    cacheWriteIsTotal: true,
  });
  const dropped = [input, output, cacheRead, cacheWrite, cacheWrite1h, reasoning].some((count) => count.dropped);
  return { usage, flags: dropped ? [...flags, "token_count_dropped"] : flags };
}

export const otelGenai: Dialect = {
  name: "otel-genai",
  keys,
  keyPrefixes: [usagePrefix],
  matches,
  keeps: (span) => operationOf(span) !== undefined,
  read,
  examples: otelGenaiExamples,
};
