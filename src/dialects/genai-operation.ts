/** The operation of a span that has OpenTelemetry's GenAI keys. */

import type { Attributes } from "../model/span.ts";
import type { Operation } from "../model/usage-record.ts";
import { text } from "./attributes.ts";
import { hasAny } from "./define-dialect.ts";
import { genaiKeys } from "./reading-keys.ts";

/** `null`: what bills nothing and repeats no call. `sum`: what adds up the calls beneath it. */
const operations: ReadonlyMap<string, Operation | "sum" | null> = new Map<string, Operation | "sum" | null>([
  ["chat", "chat"],
  ["chat.completions", "chat"],
  ["completion", "text_completion"],
  ["text_completion", "text_completion"],
  ["generate_content", "generate_content"],
  ["responses", "chat"],
  ["messages", "chat"],
  ["embeddings", "embeddings"],
  ["embedding", "embeddings"],
  ["rerank", "rerank"],
  ["retrieval", "retrieval"],
  ["execute_tool", "execute_tool"],
  ["tool", "execute_tool"],
  ["invoke_agent", "sum"],
  ["invoke_workflow", "sum"],
  ["agent_step", "sum"],
  ["plan", "sum"],
  ["handle_conversation_turn", "sum"],
  ["create_agent", null],
  ["fetch_response", null],
  ["count_tokens", null],
]);

/** pydantic-ai gives sums a family of their own. */
const countKeys = [...genaiKeys.tokens.input, ...genaiKeys.tokens.output, "gen_ai.aggregated_usage.input_tokens"];

/**
 * By name; a sum counts only where it carries tokens. An unknown name with tokens is `unknown`, without tokens it is not
 * kept. Old producers name no operation: one that reports tokens is a chat.
 */
export function genaiOperation(attributes: Attributes): Operation | "unknown" | undefined {
  const name = attributes["gen_ai.operation.name"];
  if (name === undefined) return hasAny(attributes, countKeys) ? "chat" : undefined;
  const found = operations.get(text(name));
  if (found === null) return undefined;
  if (found !== undefined && found !== "sum") return found;
  if (!hasAny(attributes, countKeys)) return undefined;
  return found === "sum" ? "invoke_agent" : "unknown";
}
