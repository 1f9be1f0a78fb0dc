/** Spans of OpenInference, as observed against a provider with known usage or as its conventions write them. */

import type { DialectExample } from "./dialect.ts";

const client = "@arizeai/openinference-instrumentation-openai@4.2.7";

export const openinferenceExamples: readonly DialectExample[] = [
  {
    name: "a chat completion with cached and reasoning tokens, both included in their sums",
    scope: client,
    attributes: {
      "openinference.span.kind": "LLM",
      "llm.model_name": "gpt-4o-2024-08-06",
      "llm.system": "openai",
      "llm.finish_reason": "stop",
      "llm.token_count.completion": 300,
      "llm.token_count.prompt": 2006,
      "llm.token_count.total": 2306,
      "llm.token_count.prompt_details.cache_read": 1920,
      "llm.token_count.prompt_details.audio": 0,
      "llm.token_count.completion_details.reasoning": 192,
      "session.id": "s1",
      "user.id": "u1",
    },
    expected: {
      operation: "chat",
      level: "provider",
      provider: "openai",
      model: "gpt-4o-2024-08-06",
      finishReason: "stop",
      usage: { input: 86, cacheRead: 1920, output: 108, reasoning: 192 },
      attribution: { session: "s1", user: "u1" },
      flags: [],
    },
  },
  {
    name: "sound heard and spoken, each part of its sum",
    scope: client,
    attributes: {
      "openinference.span.kind": "LLM",
      "llm.model_name": "gpt-realtime",
      "llm.system": "openai",
      "llm.token_count.prompt": 1000,
      "llm.token_count.completion": 300,
      "llm.token_count.prompt_details.cache_read": 600,
      "llm.token_count.prompt_details.audio": 700,
      "llm.token_count.completion_details.audio": 250,
    },
    expected: {
      usage: { input: 400, cacheRead: 600, output: 300 },
      // 400 fit into what is not cached; the rest came from the cache.
      modalities: {
        audioInput: 400,
        audioCacheRead: 300,
        audioOutput: 250,
        imageInput: 0,
        imageCacheRead: 0,
        imageOutput: 0,
      },
      flags: [],
    },
  },
  {
    name: "around a client that tells of itself: held, and the lifetime of its cache writes unknown",
    scope: "@arizeai/openinference-instrumentation-anthropic@0.2.8",
    attributes: {
      "openinference.span.kind": "LLM",
      "llm.model_name": "claude-sonnet-4-5-20250929",
      "llm.request.model_name": "claude-sonnet-4-5",
      "llm.system": "anthropic",
      "llm.provider": "anthropic",
      "llm.token_count.prompt": 1250,
      "llm.token_count.completion": 120,
      "llm.token_count.total": 1370,
      "llm.token_count.prompt_details.cache_write": 200,
      "llm.token_count.prompt_details.cache_read": 1000,
    },
    expected: {
      level: "wrapper",
      requestModel: "claude-sonnet-4-5",
      usage: { input: 50, cacheRead: 1000, cacheWrite5m: 200, output: 120 },
      flags: ["cache_ttl_assumed"],
    },
  },
  {
    name: "Azure serves OpenAI's model, and the emitter knows a cost",
    attributes: {
      "openinference.span.kind": "LLM",
      "llm.provider": "azure",
      "llm.system": "openai",
      "llm.model_name": "gpt-4o",
      "llm.token_count.prompt": 10,
      "llm.token_count.completion": 5,
      "llm.cost.total": 0.000075,
    },
    expected: {
      level: "wrapper",
      provider: "azure.ai.openai",
      reportedNanoUsd: 75_000,
      usage: { input: 10, output: 5 },
    },
  },
  {
    name: "embeddings without any count",
    scope: client,
    attributes: { "openinference.span.kind": "EMBEDDING", "embedding.model_name": "text-embedding-3-small" },
    expected: {
      operation: "embeddings",
      model: "text-embedding-3-small",
      usage: null,
      flags: ["usage_unreported"],
    },
  },
  {
    name: "embeddings with a total only: all of it is input",
    scope: client,
    attributes: {
      "openinference.span.kind": "EMBEDDING",
      "embedding.model_name": "text-embedding-3-small",
      "llm.token_count.total": 8,
    },
    expected: { operation: "embeddings", usage: { input: 8, output: 0 }, flags: [] },
  },
  {
    name: "an agent that repeats what its calls used",
    attributes: {
      "openinference.span.kind": "AGENT",
      "llm.token_count.prompt": 1400,
      "llm.token_count.completion": 120,
    },
    expected: {
      operation: "invoke_agent",
      level: "wrapper",
      usage: { input: 1400, output: 120 },
      flags: ["usage_aggregated"],
    },
  },
  {
    name: "a tool",
    attributes: { "openinference.span.kind": "TOOL", "tool.name": "get_weather" },
    expected: { operation: "execute_tool", tool: "get_weather", usage: null },
  },
  {
    name: "a count that nobody knows yet is told",
    scope: client,
    attributes: {
      "openinference.span.kind": "LLM",
      "llm.token_count.prompt": 10,
      "llm.token_count.completion": 5,
      "llm.token_count.prompt_details.cache_evicted": 3,
    },
    expected: {
      unknownUsageKeys: ["llm.token_count.prompt_details.cache_evicted"],
      flags: ["unknown_usage_key"],
    },
  },
];
