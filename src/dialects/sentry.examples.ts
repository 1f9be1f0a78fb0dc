/** Spans of Sentry's integrations, as its conventions and sources write them. */

import type { DialectExample } from "./dialect.ts";

export const sentryExamples: readonly DialectExample[] = [
  {
    name: "its integration of openai, with current keys",
    attributes: {
      "sentry.op": "gen_ai.chat",
      "sentry.origin": "auto.ai.openai",
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "openai",
      "gen_ai.request.model": "gpt-4o",
      "gen_ai.usage.input_tokens": 2006,
      "gen_ai.usage.cache_read.input_tokens": 1920,
      "gen_ai.usage.output_tokens": 300,
      "gen_ai.usage.reasoning.output_tokens": 192,
      "gen_ai.usage.total_tokens": 2306,
      "sentry.environment": "production",
      "sentry.release": "1.2.3",
    },
    expected: {
      level: "provider",
      usage: { input: 86, cacheRead: 1920, output: 108, reasoning: 192 },
      attribution: { environment: "production", release: "1.2.3" },
      flags: [],
    },
  },
  {
    name: "older keys: details behind the counts, the operation in the op",
    attributes: {
      "sentry.op": "gen_ai.chat",
      "sentry.origin": "auto.ai.anthropic",
      "gen_ai.system": "anthropic",
      "gen_ai.request.model": "claude-sonnet-4-5",
      "gen_ai.usage.input_tokens": 3000,
      "gen_ai.usage.input_tokens.cached": 1200,
      "gen_ai.usage.output_tokens": 210,
      "gen_ai.cost.total_tokens": 0.00891,
    },
    expected: {
      operation: "chat",
      level: "provider",
      usage: { input: 1800, cacheRead: 1200, output: 210 },
      reportedNanoUsd: 8_910_000,
      flags: [],
    },
  },
  {
    name: "around the AI SDK: a framework",
    attributes: {
      "sentry.op": "gen_ai.generate_content",
      "sentry.origin": "auto.vercelai.otel",
      "gen_ai.usage.input_tokens": 5,
      "gen_ai.usage.output_tokens": 2,
    },
    expected: { operation: "generate_content", level: "wrapper", usage: { input: 5, output: 2 } },
  },
  {
    name: "an agent adds up its requests",
    attributes: {
      "sentry.op": "gen_ai.invoke_agent",
      "gen_ai.usage.input_tokens": 1400,
      "gen_ai.usage.output_tokens": 120,
      "gen_ai.agent.name": "planner",
    },
    expected: {
      operation: "invoke_agent",
      level: "wrapper",
      attribution: { agent: "planner" },
      flags: ["usage_aggregated"],
    },
  },
];
