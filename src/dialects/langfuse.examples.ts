/** Observations of Langfuse's SDKs, as observed against a provider with known usage. */

import type { DialectExample } from "./dialect.ts";

const scope = "langfuse-sdk@5.11.1";
const generation = {
  "langfuse.observation.type": "generation",
  "langfuse.observation.model.name": "gpt-4o-2024-08-06",
};

export const langfuseExamples: readonly DialectExample[] = [
  {
    name: "a generation: disjoint buckets in JSON, with a cost and whom it was for",
    scope,
    attributes: {
      ...generation,
      "langfuse.observation.usage_details":
        '{"input":86,"output":108,"total":2306,"input_cached_tokens":1920,"input_audio_tokens":0,"output_reasoning_tokens":192}',
      "langfuse.observation.cost_details":
        '{"input":0.000215,"input_cached_tokens":0.0024,"output":0.003,"total":0.005615}',
      "langfuse.user.id": "u1",
      "langfuse.session.id": "s1",
      "langfuse.environment": "staging",
      "langfuse.observation.prompt.name": "greeting",
      "langfuse.observation.prompt.version": 3,
    },
    expected: {
      operation: "chat",
      level: "wrapper",
      model: "gpt-4o-2024-08-06",
      usage: { input: 86, cacheRead: 1920, output: 108, reasoning: 192 },
      reportedNanoUsd: 5_615_000,
      attribution: { user: "u1", session: "s1", environment: "staging", promptName: "greeting", promptVersion: "3" },
      flags: [],
    },
  },
  {
    name: "OpenAI's own shape of usage",
    scope,
    attributes: {
      ...generation,
      "langfuse.observation.usage_details":
        '{"prompt_tokens":2006,"completion_tokens":300,"total_tokens":2306,"prompt_tokens_details":{"cached_tokens":1920},"completion_tokens_details":{"reasoning_tokens":192}}',
    },
    expected: { usage: { input: 86, cacheRead: 1920, output: 108, reasoning: 192 }, flags: [] },
  },
  {
    name: "Anthropic's own shape of usage: more was cached than its input counts",
    scope,
    attributes: {
      "langfuse.observation.type": "generation",
      "langfuse.observation.model.name": "claude-sonnet-4-5",
      "langfuse.observation.usage_details":
        '{"input_tokens":50,"output_tokens":120,"cache_read_input_tokens":1000,"cache_creation_input_tokens":200}',
    },
    expected: { usage: { input: 50, cacheRead: 1000, cacheWrite5m: 200, output: 120 } },
  },
  {
    name: "JSON that was cut off is no usage",
    scope,
    attributes: { ...generation, "langfuse.observation.usage_details": '{"input":86,"outp' },
    expected: { usage: null, flags: ["usage_unreadable"] },
  },
  {
    name: "sound in buckets of its own, beside those of text",
    scope,
    attributes: {
      ...generation,
      "langfuse.observation.usage_details":
        '{"input":100,"output":20,"input_audio_tokens":700,"output_audio_tokens":250}',
    },
    expected: {
      usage: { input: 800, output: 270 },
      modalities: {
        audioInput: 700,
        audioCacheRead: 0,
        audioOutput: 250,
        imageInput: 0,
        imageCacheRead: 0,
        imageOutput: 0,
      },
      flags: [],
    },
  },
  {
    name: "a bucket that nobody knows yet is told",
    scope,
    attributes: { ...generation, "langfuse.observation.usage_details": '{"input":1,"output":2,"input_from_moon":9}' },
    expected: {
      usage: { input: 1, output: 2 },
      unknownUsageKeys: ["langfuse.observation.usage_details.input_from_moon"],
      flags: ["unknown_usage_key"],
    },
  },
  {
    name: "an embedding without usage",
    scope,
    attributes: {
      "langfuse.observation.type": "embedding",
      "langfuse.observation.model.name": "text-embedding-3-small",
    },
    expected: { operation: "embeddings", usage: null, flags: ["usage_unreported"] },
  },
  {
    name: "recognised by its keys, whatever the scope",
    attributes: { ...generation, "langfuse.observation.usage_details": '{"input":7,"output":2}' },
    expected: { usage: { input: 7, output: 2 } },
  },
];
