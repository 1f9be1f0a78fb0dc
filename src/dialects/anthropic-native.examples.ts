/** Spans of Anthropic's own SDK, as observed against a provider with known usage. */

import type { DialectExample } from "./dialect.ts";

const scope = "com.anthropic.sdk.typescript@1.12.0";
const call = {
  "gen_ai.operation.name": "chat",
  "gen_ai.provider.name": "anthropic",
  "gen_ai.request.model": "claude-sonnet-4-5",
};

export const anthropicNativeExamples: readonly DialectExample[] = [
  {
    name: "cache writes of five minutes and an hour, the tier, the reason to stop",
    scope,
    attributes: {
      ...call,
      "gen_ai.response.model": "claude-sonnet-4-5-20250929",
      "gen_ai.response.id": "msg_1",
      "gen_ai.usage.input_tokens": 1250,
      "gen_ai.usage.cache_write.input_tokens": 200,
      "gen_ai.usage.cache_read.input_tokens": 1000,
      "anthropic.usage.cache_creation.ephemeral_5m_input_tokens": 150,
      "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": 50,
      "anthropic.response.service_tier": "standard",
      "anthropic.message.stop_reason": "end_turn",
      "anthropic.session.id": "s1",
      "gen_ai.usage.output_tokens": 120,
    },
    expected: {
      level: "provider",
      provider: "anthropic",
      model: "claude-sonnet-4-5-20250929",
      responseId: "msg_1",
      serviceTier: "default",
      finishReason: "end_turn",
      usage: { input: 50, cacheRead: 1000, cacheWrite5m: 150, cacheWrite1h: 50, output: 120, reasoning: 0 },
      attribution: { session: "s1" },
      flags: [],
    },
  },
  {
    name: "cached tokens that no arithmetic tells apart are included, for certain",
    scope,
    attributes: {
      ...call,
      "gen_ai.usage.input_tokens": 3000,
      "gen_ai.usage.cache_read.input_tokens": 1200,
      "gen_ai.usage.output_tokens": 210,
    },
    expected: { usage: { input: 1800, cacheRead: 1200, output: 210 }, flags: [] },
  },
  {
    name: "a batch call",
    scope,
    attributes: { ...call, "anthropic.response.service_tier": "batch", "gen_ai.usage.input_tokens": 1 },
    expected: { serviceTier: "batch" },
  },
  {
    name: "a refused call",
    scope,
    attributes: { ...call, "error.type": "rate_limit_error" },
    expected: { usage: null, errorType: "rate_limit_error", flags: [] },
  },
];
