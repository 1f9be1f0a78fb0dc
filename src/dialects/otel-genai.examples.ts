/** Spans of the field with what each truly was. Anonymised; values as the producers sent them. */

import type { DialectExample } from "./dialect.ts";

const openai = { "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o" };

export const otelGenaiExamples: readonly DialectExample[] = [
  {
    name: "a current chat span: input includes cached tokens, output includes reasoning",
    attributes: {
      ...openai,
      "gen_ai.response.model": "gpt-4o-2024-08-06",
      "gen_ai.response.id": "chatcmpl-1",
      "gen_ai.response.finish_reasons": ["stop"],
      "gen_ai.usage.input_tokens": 2006,
      "gen_ai.usage.cache_read.input_tokens": 1920,
      "gen_ai.usage.output_tokens": 300,
      "gen_ai.usage.reasoning.output_tokens": 192,
      "burnwatch.tenant": "acme",
      "burnwatch.feature": "search",
      "user.id": "u1",
      "gen_ai.conversation.id": "c1",
    },
    expected: {
      operation: "chat",
      provider: "openai",
      model: "gpt-4o-2024-08-06",
      requestModel: "gpt-4o",
      responseId: "chatcmpl-1",
      finishReason: "stop",
      usage: { input: 86, cacheRead: 1920, cacheWrite5m: 0, cacheWrite1h: 0, output: 108, reasoning: 192 },
      attribution: { tenant: "acme", feature: "search", user: "u1", session: "c1" },
      flags: [],
    },
  },
  {
    name: "Anthropic's own span: cache writes of 5 minutes and an hour told apart",
    attributes: {
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "anthropic",
      "gen_ai.response.model": "claude-sonnet-4-5-20250929",
      "gen_ai.usage.input_tokens": 1250,
      "gen_ai.usage.cache_read.input_tokens": 1000,
      "gen_ai.usage.cache_write.input_tokens": 200,
      "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": 50,
      "gen_ai.usage.output_tokens": 120,
    },
    expected: { usage: { input: 50, cacheRead: 1000, cacheWrite5m: 150, cacheWrite1h: 50, output: 120, reasoning: 0 } },
  },
  {
    name: "the old key of cache writes",
    attributes: {
      ...openai,
      "gen_ai.usage.input_tokens": 100,
      "gen_ai.usage.cache_creation.input_tokens": 40,
      "gen_ai.usage.output_tokens": 1,
    },
    expected: { usage: { input: 60, cacheRead: 0, cacheWrite5m: 40, cacheWrite1h: 0, output: 1, reasoning: 0 } },
  },
  {
    name: "old keys: prompt and completion tokens, system for provider, no operation",
    attributes: {
      "gen_ai.system": "openai",
      "gen_ai.request.model": "gpt-4",
      "gen_ai.usage.prompt_tokens": 10,
      "gen_ai.usage.completion_tokens": 5,
    },
    expected: { operation: "chat", provider: "openai", model: "gpt-4", usage: { input: 10, output: 5 }, flags: [] },
  },
  {
    name: "more cached tokens than input: the input excludes them, for certain",
    attributes: {
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "anthropic",
      "gen_ai.usage.input_tokens": 50,
      "gen_ai.usage.cache_read.input_tokens": 1000,
      "gen_ai.usage.cache_creation.input_tokens": 200,
      "gen_ai.usage.output_tokens": 120,
    },
    expected: {
      usage: { input: 50, cacheRead: 1000, cacheWrite5m: 200, output: 120 },
      flags: ["input_excludes_cache", "cache_ttl_assumed"],
    },
  },
  {
    name: "counts as decimal strings",
    attributes: { ...openai, "gen_ai.usage.input_tokens": "12", "gen_ai.usage.output_tokens": "3" },
    expected: { usage: { input: 12, output: 3 }, flags: [] },
  },
  {
    name: "NaN, negative and absurd counts are dropped and flagged, the good one is kept",
    attributes: {
      ...openai,
      "gen_ai.usage.input_tokens": -5,
      "gen_ai.usage.output_tokens": 7,
      "gen_ai.usage.cache_read.input_tokens": Number.NaN,
      "gen_ai.usage.reasoning.output_tokens": 1e18,
    },
    expected: { usage: { input: 0, cacheRead: 0, output: 7, reasoning: 0 }, flags: ["token_count_dropped"] },
  },
  {
    name: "a failed call reports no tokens",
    attributes: { ...openai, "error.type": "RateLimitError" },
    expected: { usage: null, errorType: "RateLimitError", model: "gpt-4o" },
  },
  {
    name: "embeddings have no output",
    attributes: {
      "gen_ai.operation.name": "embeddings",
      "gen_ai.provider.name": "openai",
      "gen_ai.response.model": "text-embedding-3-small",
      "gen_ai.usage.input_tokens": 8,
    },
    expected: { operation: "embeddings", usage: { input: 8, output: 0 } },
  },
  {
    name: "counts that the emitter guesses from characters",
    scope: "@opentelemetry/instrumentation-aws-sdk@0.79.0",
    attributes: {
      "gen_ai.operation.name": "chat",
      "gen_ai.system": "aws.bedrock",
      "gen_ai.request.model": "mistral.mistral-7b-instruct-v0:2",
      "gen_ai.usage.input_tokens": 12,
      "gen_ai.usage.output_tokens": 30,
    },
    expected: {
      provider: "aws.bedrock",
      usage: { input: 12, output: 30 },
      flags: ["usage_estimated", "cache_unreported"],
    },
  },
  {
    name: "underscore variants of the field",
    attributes: {
      ...openai,
      "gen_ai.usage.input_tokens": 2006,
      "gen_ai.usage.input_cached_tokens": 1920,
      "gen_ai.usage.output_tokens": 300,
      "gen_ai.usage.reasoning_output_tokens": 192,
    },
    expected: { usage: { input: 86, cacheRead: 1920, output: 108, reasoning: 192 }, flags: [] },
  },
  {
    name: "Anthropic's cached tokens of an emitter that nobody knows are assumed to be included",
    attributes: {
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "anthropic",
      "gen_ai.usage.input_tokens": 3000,
      "gen_ai.usage.cache_read.input_tokens": 1200,
      "gen_ai.usage.output_tokens": 210,
    },
    expected: { usage: { input: 1800, cacheRead: 1200, output: 210 }, flags: ["cache_semantics_assumed"] },
  },
  {
    name: "a cost that a gateway knows",
    attributes: { ...openai, "gen_ai.usage.input_tokens": 1, "gen_ai.usage.cost": "0.0000025" },
    expected: { reportedNanoUsd: 2500, unknownUsageKeys: [], flags: [] },
  },
  {
    name: "a cost of 0 is one that the emitter does not know",
    attributes: { ...openai, "gen_ai.usage.input_tokens": 1, "gen_ai.usage.cost": 0 },
    expected: { reportedNanoUsd: null, flags: [] },
  },
  {
    name: "the old key of the tier",
    attributes: { ...openai, "gen_ai.openai.response.service_tier": "flex", "gen_ai.usage.input_tokens": 1 },
    expected: { serviceTier: "flex" },
  },
  {
    name: "a model span of a framework by its scope",
    scope: "opentelemetry.instrumentation.langchain_v2",
    attributes: { ...openai, "gen_ai.usage.input_tokens": 1, "gen_ai.usage.output_tokens": 1 },
    expected: { level: "wrapper" },
  },
  {
    name: "rerank",
    attributes: {
      "gen_ai.operation.name": "rerank",
      "gen_ai.provider.name": "cohere",
      "gen_ai.request.model": "rerank-v3.5",
    },
    expected: { operation: "rerank", provider: "cohere", usage: null },
  },
  {
    name: "retrieval",
    attributes: { "gen_ai.operation.name": "retrieval", "gen_ai.provider.name": "openai" },
    expected: { operation: "retrieval", usage: null },
  },
  {
    name: "a tool execution with a keyed hash of its arguments",
    attributes: {
      "gen_ai.operation.name": "execute_tool",
      "gen_ai.tool.name": "search_flights",
      "burnwatch.tool.args_hash": "9f86d081884c7d65",
    },
    expected: { operation: "execute_tool", tool: "search_flights", toolArgsHash: "9f86d081884c7d65", usage: null },
  },
  {
    name: "a keyed hash of the whole prompt, of which 64 bits are kept",
    attributes: { ...openai, "burnwatch.prompt.hash": "9F86D081884C7D659A2FEAA0C55AD015" },
    expected: { promptHash: "9f86d081884c7d65" },
  },
  {
    name: "a prompt where its hash should be",
    attributes: { ...openai, "burnwatch.prompt.hash": "What is the capital of France?" },
    expected: { promptHash: "" },
  },
  {
    name: "finish reasons as a JSON list in a string",
    attributes: { ...openai, "gen_ai.response.finish_reasons": '["length"]' },
    expected: { finishReason: "length" },
  },
  {
    name: "sound and a picture, each with what of it came from the cache, as parts of input and output",
    attributes: {
      ...openai,
      "gen_ai.usage.input_tokens": 1000,
      "gen_ai.usage.output_tokens": 300,
      "gen_ai.usage.cache_read.input_tokens": 500,
      "gen_ai.usage.audio.input_tokens": 600,
      "gen_ai.usage.audio.cache_read.input_tokens": 400,
      "gen_ai.usage.image.input_tokens": 150,
      "gen_ai.usage.audio.output_tokens": 280,
      "gen_ai.usage.text.output_tokens": 20,
    },
    expected: {
      usage: { input: 500, cacheRead: 500, output: 300 },
      modalities: {
        audioInput: 200,
        audioCacheRead: 400,
        audioOutput: 280,
        imageInput: 150,
        imageCacheRead: 0,
        imageOutput: 0,
      },
      unknownUsageKeys: [],
      flags: [],
    },
  },
  {
    name: "more sound than there are tokens: cut to what input and output hold",
    attributes: {
      ...openai,
      "gen_ai.usage.input_tokens": 100,
      "gen_ai.usage.output_tokens": 10,
      "gen_ai.usage.audio.input_tokens": 999,
      "gen_ai.usage.audio.output_tokens": 999,
    },
    expected: {
      usage: { input: 100, output: 10 },
      modalities: {
        audioInput: 100,
        audioCacheRead: 0,
        audioOutput: 10,
        imageInput: 0,
        imageCacheRead: 0,
        imageOutput: 0,
      },
    },
  },
  {
    name: "a third attempt whose stream broke off",
    attributes: {
      ...openai,
      "gen_ai.usage.input_tokens": 40,
      "burnwatch.request.attempt": 3,
      "burnwatch.usage.partial": true,
    },
    expected: { usage: { input: 40 }, flags: ["repeated_attempt", "answer_cut_off"] },
  },
  {
    name: "a first attempt, numbered",
    attributes: { ...openai, "gen_ai.usage.input_tokens": 40, "burnwatch.request.attempt": 1 },
    expected: { flags: [] },
  },
];
