/**
 * OpenLLMetry (Traceloop), JavaScript and Python: OpenTelemetry's keys with older ones beside them, and `traceloop.*`.
 * Source: @traceloop/instrumentation-* 0.27.0, observed; opentelemetry-instrumentation-* of Python.
 */

import { text } from "./attributes.ts";
import { alsoFrom } from "./attribution.ts";
import { defineDialect } from "./define-dialect.ts";
import { genaiOperation } from "./genai-operation.ts";
import { openllmetryExamples } from "./openllmetry.examples.ts";
import { genaiKeys, genaiKeysWith } from "./reading-keys.ts";

const { tokens } = genaiKeys;

/** Flat keys that applications set with `withAssociationProperties`; their names are theirs, these are the usual ones. */
function association(...names: string[]): string[] {
  return names.map((name) => `traceloop.association.properties.${name}`);
}

const operationOfRequestType: Readonly<Record<string, "chat" | "text_completion" | "embeddings" | "rerank">> = {
  chat: "chat",
  completion: "text_completion",
  embedding: "embeddings",
  rerank: "rerank",
};

export const openllmetry = defineDialect({
  name: "openllmetry",
  scopes: [
    "@traceloop/*",
    "opentelemetry.instrumentation.openai.v0",
    "opentelemetry.instrumentation.openai.v1",
    "opentelemetry.instrumentation.anthropic",
    "opentelemetry.instrumentation.bedrock",
    "opentelemetry.instrumentation.cohere",
    "opentelemetry.instrumentation.groq",
    "opentelemetry.instrumentation.mistralai",
    "opentelemetry.instrumentation.google_generativeai",
    "opentelemetry.instrumentation.langchain",
    "opentelemetry.instrumentation.llamaindex",
    "traceloop*",
  ],
  keys: genaiKeysWith({
    executedTool: ["traceloop.entity.name"],
    tokens: {
      input: [...tokens.input, "llm.usage.prompt_tokens"],
      output: [...tokens.output, "llm.usage.completion_tokens"],
      reasoning: [...tokens.reasoning, "llm.usage.reasoning_tokens"],
      total: ["gen_ai.usage.total_tokens", "llm.usage.total_tokens"],
    },
    attribution: alsoFrom({
      tenant: association("tenant", "tenant_id", "tenantId"),
      feature: [...association("feature"), "traceloop.workflow.name"],
      user: association("user_id", "userId", "user"),
      session: association("session_id", "sessionId", "chat_id", "chatId", "conversation_id", "thread_id"),
      run: association("run_id", "runId"),
      promptName: ["traceloop.prompt.key"],
      promptVersion: ["traceloop.prompt.version"],
    }),
  }),
  decidingKeys: ["gen_ai.operation.name", "llm.request.type", "traceloop.span.kind"],
  keyPrefixes: ["gen_ai.usage.", "llm.usage."],
  signature: ["traceloop.span.kind", "llm.request.type", "traceloop.workflow.name"],
  operationOf: (attributes) => {
    if (attributes["traceloop.span.kind"] === "tool") return "execute_tool";
    const old = operationOfRequestType[text(attributes["llm.request.type"])];
    return old !== undefined && attributes["gen_ai.operation.name"] === undefined ? old : genaiOperation(attributes);
  },
  levelOf: () => "provider",
  examples: openllmetryExamples,
});
