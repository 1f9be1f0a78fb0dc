/** Spans of Vercel's AI SDK 5, 6 and 7, as observed against a provider with known usage. */

import type { DialectExample } from "./dialect.ts";

const telemetry = {
  "ai.telemetry.functionId": "answer",
  "ai.telemetry.metadata.userId": "u1",
  "ai.telemetry.metadata.sessionId": "s1",
  "ai.telemetry.metadata.tenant": "t1",
};
const gpt = { "ai.model.provider": "openai.chat", "ai.model.id": "gpt-4o", "gen_ai.system": "openai.chat" };
const claude = { "ai.model.provider": "anthropic.messages", "ai.model.id": "claude-sonnet-4-5" };
const claudeMetadata = JSON.stringify({
  anthropic: {
    usage: {
      input_tokens: 50,
      output_tokens: 120,
      cache_creation_input_tokens: 200,
      cache_read_input_tokens: 1000,
      cache_creation: { ephemeral_5m_input_tokens: 150, ephemeral_1h_input_tokens: 50 },
      service_tier: "standard",
    },
    cacheCreationInputTokens: 200,
    stopSequence: null,
  },
});

export const vercelAiExamples: readonly DialectExample[] = [
  {
    name: "5: a whole answer tells neither cached nor reasoning tokens",
    scope: "ai",
    attributes: {
      ...gpt,
      ...telemetry,
      "ai.operationId": "ai.generateText.doGenerate",
      "ai.response.model": "gpt-4o-2024-08-06",
      "ai.response.id": "chatcmpl-1",
      "ai.response.finishReason": "stop",
      "ai.response.providerMetadata": '{"openai":{"acceptedPredictionTokens":0}}',
      "ai.usage.promptTokens": 2006,
      "ai.usage.completionTokens": 300,
      "gen_ai.usage.input_tokens": 2006,
      "gen_ai.usage.output_tokens": 300,
    },
    expected: {
      operation: "chat",
      level: "provider",
      provider: "openai",
      model: "gpt-4o-2024-08-06",
      requestModel: "gpt-4o",
      responseId: "chatcmpl-1",
      usage: { input: 2006, output: 300 },
      attribution: { feature: "answer", user: "u1", session: "s1", tenant: "t1" },
      flags: ["cache_unreported", "reasoning_unreported"],
    },
  },
  {
    name: "5: Anthropic's raw input, and what was cached only in the provider's metadata",
    scope: "ai",
    attributes: {
      ...claude,
      "ai.operationId": "ai.generateText.doGenerate",
      "ai.response.providerMetadata": claudeMetadata,
      "ai.usage.promptTokens": 50,
      "ai.usage.completionTokens": 120,
    },
    expected: {
      provider: "anthropic",
      usage: { input: 50, cacheRead: 1000, cacheWrite5m: 150, cacheWrite1h: 50, output: 120 },
      flags: [],
    },
  },
  {
    name: "5: Anthropic's raw input with few cached tokens, where arithmetic proves nothing",
    scope: "ai",
    attributes: {
      ...claude,
      "ai.operationId": "ai.streamText.doStream",
      "ai.usage.inputTokens": 1800,
      "ai.usage.outputTokens": 210,
      "ai.usage.totalTokens": 2010,
      "ai.usage.cachedInputTokens": 1200,
    },
    expected: { usage: { input: 1800, cacheRead: 1200, output: 210 }, flags: [] },
  },
  {
    name: "6: uncached input and visible output are told apart",
    scope: "ai",
    attributes: {
      ...gpt,
      "ai.operationId": "ai.streamText.doStream",
      "ai.usage.inputTokens": 2006,
      "ai.usage.inputTokenDetails.noCacheTokens": 86,
      "ai.usage.inputTokenDetails.cacheReadTokens": 1920,
      "ai.usage.outputTokens": 300,
      "ai.usage.outputTokenDetails.textTokens": 108,
      "ai.usage.outputTokenDetails.reasoningTokens": 192,
      "ai.usage.totalTokens": 2306,
      "ai.usage.reasoningTokens": 192,
      "ai.usage.cachedInputTokens": 1920,
      "gen_ai.usage.input_tokens": 2006,
      "gen_ai.usage.output_tokens": 300,
    },
    expected: { usage: { input: 86, cacheRead: 1920, output: 108, reasoning: 192 }, flags: [] },
  },
  {
    name: "the span around all steps adds them up",
    scope: "ai",
    attributes: {
      ...gpt,
      "ai.operationId": "ai.generateText",
      "ai.usage.inputTokens": 1400,
      "ai.usage.inputTokenDetails.noCacheTokens": 1400,
      "ai.usage.inputTokenDetails.cacheReadTokens": 0,
      "ai.usage.outputTokens": 120,
      "ai.usage.outputTokenDetails.reasoningTokens": 0,
    },
    expected: {
      operation: "invoke_agent",
      level: "wrapper",
      usage: { input: 1400, output: 120 },
      flags: ["usage_aggregated"],
    },
  },
  {
    name: "embeddings: the inner span is the call, the outer one a wrapper",
    scope: "ai",
    attributes: { ...gpt, "ai.operationId": "ai.embed.doEmbed", "ai.usage.tokens": 8 },
    expected: { operation: "embeddings", level: "provider", usage: { input: 8, output: 0 }, flags: [] },
  },
  {
    name: "embeddings, the outer span",
    scope: "ai",
    attributes: { ...gpt, "ai.operationId": "ai.embed", "ai.usage.tokens": 8 },
    expected: { operation: "embeddings", level: "wrapper", usage: { input: 8 } },
  },
  {
    name: "a tool call, without its arguments",
    scope: "ai",
    attributes: { "ai.operationId": "ai.toolCall", "ai.toolCall.name": "get_weather", "ai.toolCall.args": "{}" },
    expected: { operation: "execute_tool", tool: "get_weather", usage: null },
  },
  {
    name: "7: OpenTelemetry's keys under the scope gen_ai, reasoning not told",
    scope: "gen_ai",
    attributes: {
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "openai",
      "gen_ai.request.model": "gpt-4o",
      "gen_ai.usage.input_tokens": 2006,
      "gen_ai.usage.output_tokens": 300,
      "gen_ai.usage.cache_read.input_tokens": 1920,
    },
    expected: {
      level: "provider",
      usage: { input: 86, cacheRead: 1920, output: 300, reasoning: 0 },
      flags: ["reasoning_unreported"],
    },
  },
];
