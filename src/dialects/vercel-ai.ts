/**
 * Vercel's AI SDK: scope `ai` of versions 4 to 6 and of 7's `LegacyOpenTelemetry`, and version 7's `gen_ai`, which has
 * OpenTelemetry's keys. Source: ai 5.0.277, 6.0.326, 7.0.173 with @ai-sdk/otel 1.0.173, observed.
 */

import type { Attributes } from "../model/span.ts";
import type { Operation } from "../model/usage-record.ts";
import { text } from "./attributes.ts";
import { alsoFrom } from "./attribution.ts";
import { defineDialect } from "./define-dialect.ts";
import { genaiOperation } from "./genai-operation.ts";
import { genaiKeys, genaiKeysWith } from "./reading-keys.ts";
import type { CacheConvention } from "./token-algebra.ts";
import { vercelAiExamples } from "./vercel-ai.examples.ts";

const { tokens } = genaiKeys;
/** JSON of whatever a provider adds; only the counts named here are kept of it. */
const metadata = "ai.response.providerMetadata";
const details = "ai.usage.inputTokenDetails";

function telemetry(...names: string[]): string[] {
  return names.map((name) => `ai.telemetry.metadata.${name}`);
}

const keys = genaiKeysWith({
  provider: ["gen_ai.provider.name", "ai.model.provider", "gen_ai.system"],
  requestModel: ["gen_ai.request.model", "ai.model.id"],
  responseModel: ["gen_ai.response.model", "ai.response.model"],
  responseId: ["gen_ai.response.id", "ai.response.id"],
  finishReason: ["ai.response.finishReason", "gen_ai.response.finish_reasons"],
  tool: ["ai.toolCall.name", "gen_ai.tool.name"],
  tokens: {
    input: ["ai.usage.inputTokens", "ai.usage.promptTokens", "ai.usage.tokens", ...tokens.input],
    uncachedInput: [`${details}.noCacheTokens`],
    cacheRead: [
      `${details}.cacheReadTokens`,
      "ai.usage.cachedInputTokens",
      `${metadata}.anthropic.usage.cache_read_input_tokens`,
      `${metadata}.anthropic.cacheReadInputTokens`,
      `${metadata}.bedrock.usage.cacheReadInputTokens`,
      `${metadata}.openai.cachedPromptTokens`,
      ...tokens.cacheRead,
    ],
    cacheWrite: [
      `${details}.cacheWriteTokens`,
      `${metadata}.anthropic.usage.cache_creation_input_tokens`,
      `${metadata}.anthropic.cacheCreationInputTokens`,
      `${metadata}.bedrock.usage.cacheWriteInputTokens`,
      ...tokens.cacheWrite,
    ],
    cacheWrite1h: [`${metadata}.anthropic.usage.cache_creation.ephemeral_1h_input_tokens`, ...tokens.cacheWrite1h],
    output: ["ai.usage.outputTokens", "ai.usage.completionTokens", ...tokens.output],
    visibleOutput: ["ai.usage.outputTokenDetails.textTokens"],
    reasoning: [
      "ai.usage.outputTokenDetails.reasoningTokens",
      "ai.usage.reasoningTokens",
      `${metadata}.openai.reasoningTokens`,
      ...tokens.reasoning,
    ],
    total: ["ai.usage.totalTokens", ...tokens.total],
  },
  attribution: alsoFrom({
    tenant: telemetry("tenant", "tenantId", "tenant_id"),
    feature: [...telemetry("feature"), "ai.telemetry.functionId"],
    user: telemetry("userId", "user_id", "user"),
    session: telemetry("sessionId", "session_id", "chatId", "threadId", "conversationId"),
    agent: telemetry("agent", "agentName"),
    run: telemetry("runId", "run_id"),
    promptName: telemetry("promptName"),
    promptVersion: telemetry("promptVersion"),
  }),
});

/** `ai.generateText` and its like add up what their `.doGenerate` and `.doStream` did, or repeat the last of them. */
const operations: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ...["ai.generateText", "ai.streamText", "ai.generateObject", "ai.streamObject"].flatMap(
    (name) =>
      [
        [name, "invoke_agent"],
        [`${name}.doGenerate`, "chat"],
        [`${name}.doStream`, "chat"],
      ] as [string, Operation][],
  ),
  ["ai.embed", "embeddings"],
  ["ai.embed.doEmbed", "embeddings"],
  ["ai.embedMany", "embeddings"],
  ["ai.embedMany.doEmbed", "embeddings"],
  ["ai.rerank.doRerank", "rerank"],
  ["ai.toolCall", "execute_tool"],
]);

const sumKeys = ["ai.usage.inputTokens", "ai.usage.promptTokens", "ai.usage.outputTokens", "ai.usage.completionTokens"];

function operationOf(attributes: Attributes): Operation | "unknown" | undefined {
  const id = attributes["ai.operationId"];
  if (id === undefined) return genaiOperation(attributes);
  const found = operations.get(text(id));
  if (found !== "invoke_agent") return found;
  return sumKeys.some((key) => attributes[key] !== undefined) ? found : undefined;
}

/**
 * Version 6 tells uncached input apart, 7 follows the convention. Before, Anthropic's and Bedrock's own counts went through
 * as they were, without cached tokens (vercel/ai#8794).
 */
function cacheInput(provider: string, attributes: Attributes): CacheConvention {
  if (attributes["ai.operationId"] === undefined || attributes[`${details}.cacheReadTokens`] !== undefined) {
    return "included";
  }
  return provider === "anthropic" || provider === "aws.bedrock" ? "excluded" : "unknown";
}

export const vercelAi = defineDialect({
  name: "vercel-ai",
  scopes: ["ai", "gen_ai"],
  keys,
  decidingKeys: ["ai.operationId", "gen_ai.operation.name"],
  keyPrefixes: ["ai.usage.", "gen_ai.usage."],
  jsonKeys: [metadata],
  signature: ["ai.operationId"],
  operationOf,
  levelOf: (attributes) => {
    const id = text(attributes["ai.operationId"]);
    return id === "ai.embed" || id === "ai.embedMany" ? "wrapper" : "provider";
  },
  cacheInput,
  examples: vercelAiExamples,
});
