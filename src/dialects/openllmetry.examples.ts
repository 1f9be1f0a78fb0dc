/** Spans of OpenLLMetry, as observed against a provider with known usage or as its sources write them. */

import type { DialectExample } from "./dialect.ts";

const scope = "@traceloop/instrumentation-anthropic@0.27.0";
const claude = {
  "gen_ai.operation.name": "chat",
  "gen_ai.provider.name": "anthropic",
  "gen_ai.request.model": "claude-sonnet-4-5",
};

export const openllmetryExamples: readonly DialectExample[] = [
  {
    name: "Anthropic's raw input, less than what was cached: excluded, for certain",
    scope,
    attributes: {
      ...claude,
      "gen_ai.usage.total_tokens": 170,
      "gen_ai.usage.output_tokens": 120,
      "gen_ai.usage.input_tokens": 50,
      "gen_ai.usage.cache_creation.input_tokens": 200,
      "gen_ai.usage.cache_read.input_tokens": 1000,
    },
    expected: {
      level: "provider",
      usage: { input: 50, cacheRead: 1000, cacheWrite5m: 200, output: 120 },
      flags: ["input_excludes_cache", "cache_ttl_assumed"],
    },
  },
  {
    name: "Anthropic's raw input, more than what was cached: excluded in what was published, not for certain",
    scope,
    attributes: {
      ...claude,
      "gen_ai.usage.total_tokens": 2010,
      "gen_ai.usage.output_tokens": 210,
      "gen_ai.usage.input_tokens": 1800,
      "gen_ai.usage.cache_creation.input_tokens": 0,
      "gen_ai.usage.cache_read.input_tokens": 1200,
    },
    expected: { usage: { input: 1800, cacheRead: 1200, output: 210 }, flags: ["cache_semantics_assumed"] },
  },
  {
    name: "a later version includes cached tokens, as a total beside shows nothing",
    scope: "@traceloop/instrumentation-anthropic@0.28.1",
    attributes: {
      ...claude,
      "gen_ai.usage.input_tokens": 3000,
      "gen_ai.usage.output_tokens": 210,
      "gen_ai.usage.cache_read.input_tokens": 1200,
    },
    expected: { usage: { input: 1800, cacheRead: 1200 }, flags: ["cache_semantics_assumed"] },
  },
  {
    name: "openai: neither cached nor reasoning tokens are told",
    scope: "@traceloop/instrumentation-openai@0.27.0",
    attributes: {
      "gen_ai.provider.name": "openai",
      "gen_ai.operation.name": "chat",
      "gen_ai.request.model": "gpt-4o",
      "gen_ai.usage.input_tokens": 2006,
      "gen_ai.usage.output_tokens": 300,
      "gen_ai.usage.total_tokens": 2306,
    },
    expected: { usage: { input: 2006, output: 300 }, flags: ["cache_unreported", "reasoning_unreported"] },
  },
  {
    name: "a stream whose usage was not read",
    scope: "@traceloop/instrumentation-openai@0.27.0",
    attributes: { "gen_ai.provider.name": "openai", "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o" },
    expected: { usage: null, flags: ["usage_unreported"] },
  },
  {
    name: "old keys, recognised without a scope, with the properties of an application",
    attributes: {
      "llm.request.type": "completion",
      "gen_ai.system": "OpenAI",
      "gen_ai.request.model": "gpt-3.5-turbo-instruct",
      "gen_ai.usage.prompt_tokens": 11,
      "gen_ai.usage.completion_tokens": 7,
      "llm.usage.total_tokens": 18,
      "traceloop.workflow.name": "summarise",
      "traceloop.entity.name": "openai.completion",
      "traceloop.association.properties.user_id": "u1",
      "traceloop.association.properties.session_id": "s1",
    },
    expected: {
      operation: "text_completion",
      tool: "",
      provider: "openai",
      usage: { input: 11, output: 7 },
      attribution: { feature: "summarise", user: "u1", session: "s1" },
      flags: [],
    },
  },
  {
    name: "a tool of a workflow",
    attributes: { "traceloop.span.kind": "tool", "traceloop.entity.name": "get_weather" },
    expected: { operation: "execute_tool", tool: "get_weather", usage: null, flags: [] },
  },
  {
    name: "LangChain's model span may stand around an instrumented client",
    scope: "@traceloop/instrumentation-langchain@0.27.0",
    attributes: { "gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 5, "gen_ai.usage.output_tokens": 5 },
    expected: { level: "wrapper", usage: { input: 5, output: 5 } },
  },
];
