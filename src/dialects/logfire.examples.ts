/** Spans of Logfire and pydantic-ai, as observed against a provider with known usage. */

import type { DialectExample } from "./dialect.ts";

export const logfireExamples: readonly DialectExample[] = [
  {
    name: "the instrumented client: details in the raw usage, and a cost",
    scope: "logfire.openai@5.2.0",
    attributes: {
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "openai",
      "gen_ai.request.model": "gpt-4o",
      "gen_ai.usage.input_tokens": 2006,
      "gen_ai.usage.output_tokens": 300,
      "gen_ai.usage.raw":
        '{"completion_tokens":300,"prompt_tokens":2006,"total_tokens":2306,"completion_tokens_details":{"reasoning_tokens":192},"prompt_tokens_details":{"cached_tokens":1920}}',
      "operation.cost": 0.005615,
    },
    expected: {
      level: "provider",
      usage: { input: 86, cacheRead: 1920, output: 108, reasoning: 192 },
      reportedNanoUsd: 5_615_000,
      flags: [],
    },
  },
  {
    name: "a model request of pydantic-ai",
    scope: "pydantic-ai@2.31.1",
    attributes: {
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "anthropic",
      "gen_ai.request.model": "claude-sonnet-4-5",
      "gen_ai.usage.input_tokens": 1250,
      "gen_ai.usage.cache_creation.input_tokens": 200,
      "gen_ai.usage.cache_read.input_tokens": 1000,
      "gen_ai.usage.output_tokens": 120,
      "gen_ai.usage.details.cache_creation_input_tokens": 200,
      "gen_ai.usage.details.cache_read_input_tokens": 1000,
      "operation.cost": 0.003,
      agent_name: "planner",
    },
    expected: {
      level: "wrapper",
      usage: { input: 50, cacheRead: 1000, cacheWrite5m: 200, output: 120 },
      reportedNanoUsd: 3_000_000,
      attribution: { agent: "planner" },
      flags: ["cache_ttl_assumed"],
    },
  },
  {
    name: "an agent's run adds up its requests",
    scope: "pydantic-ai@2.31.1",
    attributes: {
      "gen_ai.operation.name": "invoke_agent",
      "gen_ai.usage.input_tokens": 1400,
      "gen_ai.usage.output_tokens": 120,
    },
    expected: { operation: "invoke_agent", level: "wrapper", flags: ["usage_aggregated"] },
  },
  {
    name: "counts of an answer that is still streaming are no usage",
    scope: "pydantic-ai@2.31.1",
    attributes: {
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "openai",
      "gen_ai.usage.partial.input_tokens": 3,
      "gen_ai.usage.partial.output_tokens": 4,
    },
    expected: { usage: null, flags: ["usage_unreported"], unknownUsageKeys: [] },
  },
];
