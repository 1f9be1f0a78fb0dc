/**
 * Langfuse's SDKs: observations whose usage and cost are JSON of disjoint buckets. Source: @langfuse/core 5.11 (names of
 * attributes); @langfuse/openai and @langfuse/tracing 5.11.1, observed.
 */

import type { Attributes } from "../model/span.ts";
import type { Operation } from "../model/usage-record.ts";
import { text } from "./attributes.ts";
import { alsoFrom } from "./attribution.ts";
import { defineDialect, hasAny } from "./define-dialect.ts";
import { langfuseExamples } from "./langfuse.examples.ts";
import { genaiKeys, type ReadingKeys } from "./reading-keys.ts";

const usage = "langfuse.observation.usage_details";
const cost = "langfuse.observation.cost_details";

function of(...names: string[]): string[] {
  return names.map((name) => `${usage}.${name}`);
}

const keys: ReadingKeys = {
  provider: ["gen_ai.provider.name", "gen_ai.system"],
  requestModel: ["langfuse.observation.model.name", "gen_ai.request.model"],
  responseModel: ["langfuse.observation.model.name", "gen_ai.response.model"],
  responseId: ["gen_ai.response.id"],
  finishReason: genaiKeys.finishReason,
  serviceTier: genaiKeys.serviceTier,
  tool: ["gen_ai.tool.name"],
  executedTool: [],
  cost: [`${cost}.total`],
  tokens: {
    // Langfuse's own buckets are disjoint: `input` is what is billed at the full rate. Providers' own shapes pass, too.
    input: of("prompt_tokens", "input_tokens"),
    uncachedInput: of("input"),
    cacheRead: of(
      "input_cached_tokens",
      "cache_read_input_tokens",
      "input_cache_read",
      "prompt_tokens_details.cached_tokens",
      "input_tokens_details.cached_tokens",
    ),
    cacheWrite: of("cache_creation_input_tokens", "input_cache_creation", "input_cache_write"),
    cacheWrite5m: of("input_cache_creation_5m"),
    cacheWrite1h: of("input_cache_creation_1h"),
    output: of("completion_tokens", "output_tokens"),
    visibleOutput: of("output"),
    reasoning: of(
      "output_reasoning_tokens",
      "output_reasoning",
      "completion_tokens_details.reasoning_tokens",
      "output_tokens_details.reasoning_tokens",
    ),
    total: of("total", "total_tokens"),
    audioInput: of("input_audio_tokens", "input_audio"),
    audioCacheRead: [],
    audioOutput: of("output_audio_tokens", "output_audio"),
    imageInput: of("input_image_tokens", "input_image"),
    imageCacheRead: [],
    imageOutput: of("output_image_tokens", "output_image"),
  },
  attribution: alsoFrom({
    environment: ["langfuse.environment"],
    feature: ["langfuse.trace.name"],
    user: ["langfuse.user.id"],
    session: ["langfuse.session.id"],
    promptName: ["langfuse.observation.prompt.name"],
    promptVersion: ["langfuse.observation.prompt.version"],
    release: ["langfuse.release"],
  }),
  understood: [],
};

const operations: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ["generation", "chat"],
  ["embedding", "embeddings"],
  ["retriever", "retrieval"],
  ["tool", "execute_tool"],
]);
const { tokens } = keys;
const countKeys = [
  ...tokens.uncachedInput,
  ...tokens.input,
  ...tokens.visibleOutput,
  ...tokens.output,
  ...tokens.total,
];

function operationOf(attributes: Attributes): Operation | undefined {
  const found = operations.get(text(attributes["langfuse.observation.type"]));
  if (found !== undefined) return found;
  return hasAny(attributes, countKeys) ? "invoke_agent" : undefined;
}

export const langfuse = defineDialect({
  name: "langfuse",
  scopes: ["langfuse-sdk"],
  keys,
  decidingKeys: ["langfuse.observation.type"],
  keyPrefixes: [`${usage}.`],
  jsonKeys: [usage, cost],
  signature: ["langfuse.observation.type", ...of("input", "input_tokens", "prompt_tokens", "total")],
  operationOf,
  // People open a generation around whatever calls the model, instrumented or not.
  levelOf: () => "wrapper",
  // Where a provider's own shape came through, its count of details tells which.
  cacheInput: (_, attributes) =>
    hasAny(attributes, of("prompt_tokens", "input_tokens_details.cached_tokens")) ? "included" : "unknown",
  // Disjoint like the others.
  modalities: "beside",
  examples: langfuseExamples,
});
