/**
 * OpenInference (Arize Phoenix): `llm.*` keys and a kind of span. Source: the openinference semantic conventions;
 * @arizeai/openinference-instrumentation-openai 4.2.7, -anthropic 0.2.8 and -langchain 4.1.1, observed.
 */

import type { Attributes } from "../model/span.ts";
import type { Operation } from "../model/usage-record.ts";
import { text } from "./attributes.ts";
import { alsoFrom } from "./attribution.ts";
import { defineDialect, hasAny } from "./define-dialect.ts";
import { openinferenceExamples } from "./openinference.examples.ts";
import { genaiKeys, type ReadingKeys } from "./reading-keys.ts";

const counts = ["llm.token_count.prompt", "llm.token_count.completion", "llm.token_count.total"];

const keys: ReadingKeys = {
  // `llm.system` is the maker of the API, `llm.provider` who serves it: Azure's OpenAI has both.
  provider: ["llm.provider", "llm.system"],
  requestModel: ["llm.request.model_name", "llm.model_name", "embedding.model_name", "reranker.model_name"],
  responseModel: ["llm.response.model_name", "llm.model_name", "embedding.model_name", "reranker.model_name"],
  responseId: ["llm.response.id", "gen_ai.response.id"],
  finishReason: ["llm.finish_reason"],
  serviceTier: genaiKeys.serviceTier,
  tool: ["tool.name", "tool_call.function.name"],
  executedTool: [],
  cost: ["llm.cost.total"],
  tokens: {
    input: ["llm.token_count.prompt"],
    uncachedInput: [],
    cacheRead: ["llm.token_count.prompt_details.cache_read", "llm.token_count.prompt_details.cache_input"],
    cacheWrite: ["llm.token_count.prompt_details.cache_write"],
    cacheWrite5m: [],
    cacheWrite1h: [],
    output: ["llm.token_count.completion"],
    visibleOutput: [],
    reasoning: ["llm.token_count.completion_details.reasoning"],
    total: ["llm.token_count.total"],
    audioInput: ["llm.token_count.prompt_details.audio"],
    audioCacheRead: [],
    audioOutput: ["llm.token_count.completion_details.audio"],
    imageInput: [],
    imageCacheRead: [],
    imageOutput: [],
  },
  attribution: alsoFrom({ agent: ["agent.name"], promptVersion: ["llm.prompt_template.version"] }),
  understood: [],
};

const operations: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ["LLM", "chat"],
  ["EMBEDDING", "embeddings"],
  ["RERANKER", "rerank"],
  ["RETRIEVER", "retrieval"],
  ["TOOL", "execute_tool"],
]);

/** Agents, chains and their like count only where they carry tokens: as the sum of what is beneath them. */
function operationOf(attributes: Attributes): Operation | undefined {
  const kind = attributes["openinference.span.kind"];
  if (kind === undefined) return hasAny(attributes, counts) ? "chat" : undefined;
  const found = operations.get(text(kind).toUpperCase());
  if (found !== undefined) return found;
  return hasAny(attributes, counts) ? "invoke_agent" : undefined;
}

/** Instrumentations of clients that tell nothing of themselves. */
const clients =
  /openinference[-.]instrumentation[-.](?:openai|bedrock|groq|mistralai|google_genai|vertexai|together|cohere)$/;

export const openinference = defineDialect({
  name: "openinference",
  scopes: ["@arizeai/openinference-*", "openinference.*"],
  keys,
  decidingKeys: ["openinference.span.kind"],
  keyPrefixes: ["llm.token_count."],
  signature: ["openinference.span.kind", ...counts],
  operationOf,
  // Spans opened by hand and those of frameworks may stand around an instrumented client.
  levelOf: (_, { scope }) => (clients.test(scope.name) ? "provider" : "wrapper"),
  cacheInput: () => "included",
  examples: openinferenceExamples,
});
