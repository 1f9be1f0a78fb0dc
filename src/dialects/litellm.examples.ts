/** Spans of LiteLLM's callback, as observed against a provider with known usage. */

import type { DialectExample } from "./dialect.ts";

const call = { "gen_ai.operation.name": "chat", "gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o" };

export const litellmExamples: readonly DialectExample[] = [
  {
    name: "a call with its cost, its key and its team, without the details of its tokens",
    scope: "litellm",
    attributes: {
      ...call,
      "gen_ai.response.model": "gpt-4o-2024-08-06",
      "gen_ai.response.id": "chatcmpl-1",
      "gen_ai.usage.input_tokens": 2006,
      "gen_ai.usage.output_tokens": 300,
      "gen_ai.usage.total_tokens": 2306,
      "gen_ai.cost.input_cost": 0.002615,
      "gen_ai.cost.output_cost": 0.003,
      "gen_ai.cost.total_cost": 0.005615,
      "llm.is_streaming": "False",
      "metadata.user_api_key_alias": "chat-app",
      "metadata.user_api_key_team_alias": "search-team",
      "metadata.user_api_key_end_user_id": "u1",
      "gen_ai.openai.response.service_tier": "flex",
    },
    expected: {
      operation: "chat",
      level: "wrapper",
      provider: "openai",
      usage: { input: 2006, output: 300 },
      reportedNanoUsd: 5_615_000,
      serviceTier: "flex",
      attribution: { tenant: "search-team", feature: "chat-app", user: "u1" },
      flags: ["cache_unreported", "reasoning_unreported"],
    },
  },
  {
    name: "the provider's usage object tells the details",
    scope: "litellm",
    attributes: {
      ...call,
      "gen_ai.usage.input_tokens": 2006,
      "gen_ai.usage.output_tokens": 300,
      "metadata.usage_object":
        '{"completion_tokens":300,"prompt_tokens":2006,"completion_tokens_details":{"reasoning_tokens":192},"prompt_tokens_details":{"cached_tokens":1920}}',
    },
    expected: { usage: { input: 86, cacheRead: 1920, output: 108, reasoning: 192 }, flags: [] },
  },
  {
    name: "on the span of a web server, recognised by its keys; the finish reasons are JSON",
    attributes: {
      ...call,
      "litellm.call_id": "c1",
      "gen_ai.usage.input_tokens": 10,
      "gen_ai.usage.output_tokens": 5,
      "gen_ai.response.finish_reasons": '["stop"]',
    },
    expected: { level: "wrapper", finishReason: "stop", usage: { input: 10, output: 5 } },
  },
];
