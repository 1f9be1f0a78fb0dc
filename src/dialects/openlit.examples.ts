/** Spans of OpenLIT, as observed against a provider with known usage. */

import type { DialectExample } from "./dialect.ts";

const scope = "openlit";

export const openlitExamples: readonly DialectExample[] = [
  {
    name: "openai, with its cost",
    scope,
    attributes: {
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "openai",
      "gen_ai.request.model": "gpt-4o",
      "gen_ai.usage.input_tokens": 2006,
      "gen_ai.usage.output_tokens": 300,
      "gen_ai.usage.cache_read.input_tokens": 1920,
      "gen_ai.usage.reasoning_tokens": 192,
      "gen_ai.usage.cost": "0.0056150000001",
      "deployment.environment": "test",
    },
    expected: {
      level: "provider",
      usage: { input: 86, cacheRead: 1920, output: 108, reasoning: 192 },
      reportedNanoUsd: 5_615_000,
      attribution: { environment: "test" },
      flags: [],
    },
  },
  {
    name: "anthropic: its raw input goes through, without cached tokens",
    scope,
    attributes: {
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "anthropic",
      "gen_ai.request.model": "claude-sonnet-4-5",
      "gen_ai.usage.input_tokens": 1800,
      "gen_ai.usage.output_tokens": 210,
      "gen_ai.usage.cache_read.input_tokens": 1200,
    },
    expected: { usage: { input: 1800, cacheRead: 1200, output: 210 }, flags: [] },
  },
  {
    name: "LangChain, recognised without a scope",
    attributes: {
      "gen_ai.sdk.version": "1.15.0",
      "gen_ai.operation.name": "chat",
      "gen_ai.system": "langchain",
      "gen_ai.usage.input_tokens": 5,
      "gen_ai.usage.output_tokens": 2,
    },
    expected: { level: "wrapper", usage: { input: 5, output: 2 } },
  },
];
