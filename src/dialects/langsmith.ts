/**
 * LangSmith's export over OpenTelemetry: runs of LangChain and of wrapped clients. Tokens are copied to any run whose
 * outputs hold them. Source: langsmith 0.12.0, observed.
 */

import type { Attributes } from "../model/span.ts";
import type { Operation } from "../model/usage-record.ts";
import { text } from "./attributes.ts";
import { alsoFrom } from "./attribution.ts";
import { defineDialect, hasAny } from "./define-dialect.ts";
import { langsmithExamples } from "./langsmith.examples.ts";
import { genaiKeys, genaiKeysWith } from "./reading-keys.ts";

const usage = "langsmith.usage_metadata";
const inputDetails = "gen_ai.usage.input_token_details";
const outputDetails = "gen_ai.usage.output_token_details";
const { tokens } = genaiKeys;

function metadata(...names: string[]): string[] {
  return names.map((name) => `langsmith.metadata.${name}`);
}

const keys = genaiKeysWith({
  // `gen_ai.system` is guessed from the model's name; LangChain knows better.
  provider: [...metadata("ls_provider"), ...genaiKeys.provider],
  cost: [`${usage}.total_cost`],
  tokens: {
    input: [...tokens.input, `${usage}.input_tokens`],
    cacheRead: [`${inputDetails}.cache_read`, `${usage}.input_token_details.cache_read`, ...tokens.cacheRead],
    cacheWrite: [`${inputDetails}.cache_creation`, `${usage}.input_token_details.cache_creation`, ...tokens.cacheWrite],
    cacheWrite1h: [
      `${inputDetails}.ephemeral_1h_input_tokens`,
      `${usage}.input_token_details.ephemeral_1h_input_tokens`,
    ],
    output: [...tokens.output, `${usage}.output_tokens`],
    reasoning: [`${outputDetails}.reasoning`, `${usage}.output_token_details.reasoning`, ...tokens.reasoning],
    total: [...tokens.total, `${usage}.total_tokens`],
    audioInput: [`${inputDetails}.audio`, `${usage}.input_token_details.audio`, ...tokens.audioInput],
    audioOutput: [`${outputDetails}.audio`, `${usage}.output_token_details.audio`, ...tokens.audioOutput],
    imageInput: [`${inputDetails}.image`, `${usage}.input_token_details.image`, ...tokens.imageInput],
    imageOutput: [`${outputDetails}.image`, `${usage}.output_token_details.image`, ...tokens.imageOutput],
  },
  attribution: alsoFrom({
    feature: ["langsmith.trace.session_name"],
    user: metadata("user_id", "userId"),
    session: metadata("session_id", "sessionId", "thread_id", "conversation_id"),
    run: metadata("run_id"),
    release: metadata("revision_id"),
  }),
  understood: [
    ...genaiKeys.understood,
    `${inputDetails}.ephemeral_5m_input_tokens`,
    `${usage}.input_token_details.ephemeral_5m_input_tokens`,
    `${usage}.input_cost`,
    `${usage}.output_cost`,
  ],
});

const operations: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ["llm", "chat"],
  ["embedding", "embeddings"],
  ["retriever", "retrieval"],
  ["tool", "execute_tool"],
]);
const countKeys = [...keys.tokens.input, ...keys.tokens.output];

function operationOf(attributes: Attributes): Operation | undefined {
  const found = operations.get(text(attributes["langsmith.span.kind"]));
  if (found !== undefined) {
    return found === "chat" && attributes["gen_ai.operation.name"] === "embeddings" ? "embeddings" : found;
  }
  return hasAny(attributes, countKeys) ? "invoke_agent" : undefined;
}

export const langsmith = defineDialect({
  name: "langsmith",
  scopes: ["langsmith"],
  keys,
  decidingKeys: ["langsmith.span.kind", "gen_ai.operation.name"],
  keyPrefixes: ["gen_ai.usage.", `${usage}.`],
  jsonKeys: [usage, inputDetails, outputDetails],
  signature: ["langsmith.span.kind"],
  operationOf,
  // An `llm` run may be LangChain's, around a client that is instrumented, too.
  levelOf: () => "wrapper",
  cacheInput: () => "included",
  examples: langsmithExamples,
});
