/** Runs of LangSmith, as observed against a provider with known usage. */

import type { DialectExample } from "./dialect.ts";

const scope = "langsmith";

export const langsmithExamples: readonly DialectExample[] = [
  {
    name: "an llm run: details of its tokens in JSON",
    scope,
    attributes: {
      "langsmith.span.kind": "llm",
      "gen_ai.operation.name": "chat",
      "gen_ai.system": "openai",
      "gen_ai.request.model": "gpt-4o",
      "gen_ai.usage.input_tokens": 2006,
      "gen_ai.usage.output_tokens": 300,
      "gen_ai.usage.total_tokens": 2306,
      "gen_ai.usage.input_token_details": '{"cache_read":1920,"audio":0}',
      "gen_ai.usage.output_token_details": '{"reasoning":192,"audio":0}',
      "gen_ai.response.service_tier": "priority",
      "langsmith.trace.session_name": "answers",
      "langsmith.metadata.user_id": "u1",
      "langsmith.metadata.thread_id": "t1",
    },
    expected: {
      operation: "chat",
      level: "wrapper",
      provider: "openai",
      serviceTier: "priority",
      usage: { input: 86, cacheRead: 1920, output: 108, reasoning: 192 },
      attribution: { feature: "answers", user: "u1", session: "t1" },
      flags: [],
    },
  },
  {
    name: "LangChain's usage metadata alone",
    scope,
    attributes: {
      "langsmith.span.kind": "llm",
      "langsmith.metadata.ls_provider": "anthropic",
      "langsmith.usage_metadata":
        '{"input_tokens":1250,"output_tokens":120,"total_tokens":1370,"input_token_details":{"cache_read":1000,"cache_creation":200,"ephemeral_1h_input_tokens":50}}',
    },
    expected: {
      provider: "anthropic",
      usage: { input: 50, cacheRead: 1000, cacheWrite5m: 150, cacheWrite1h: 50, output: 120 },
      flags: [],
    },
  },
  {
    name: "a chain to which the tokens of its outputs were copied",
    scope,
    attributes: {
      "langsmith.span.kind": "chain",
      "gen_ai.operation.name": "chain",
      "gen_ai.usage.input_tokens": 700,
      "gen_ai.usage.output_tokens": 60,
    },
    expected: { operation: "invoke_agent", level: "wrapper", flags: ["usage_aggregated"] },
  },
  {
    name: "a tool",
    attributes: { "langsmith.span.kind": "tool", "gen_ai.tool.name": "get_weather" },
    expected: { operation: "execute_tool", tool: "get_weather" },
  },
];
