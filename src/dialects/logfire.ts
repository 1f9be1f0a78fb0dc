/**
 * Pydantic's Logfire and pydantic-ai: OpenTelemetry's keys, the raw usage as JSON, and a cost. Source: logfire 5.2,
 * pydantic-ai 2.31, observed.
 */

import type { Attributes, Span } from "../model/span.ts";
import type { Operation } from "../model/usage-record.ts";
import { alsoFrom } from "./attribution.ts";
import { defineDialect, hasAny } from "./define-dialect.ts";
import { genaiOperation } from "./genai-operation.ts";
import { logfireExamples } from "./logfire.examples.ts";
import { genaiKeys, genaiKeysWith } from "./reading-keys.ts";

const raw = "gen_ai.usage.raw";
const { tokens } = genaiKeys;
const sum = "gen_ai.aggregated_usage";
const client = /^logfire\.(?:openai|anthropic|google)/;

/**
 * Of a streamed answer the span of the request has no counts; a second one beside it, `streaming response from ...`,
 * has them and is the call.
 */
function operationOf(attributes: Attributes, span: Span): Operation | "unknown" | undefined {
  const found = genaiOperation(attributes);
  const billed = found === "chat" || found === "text_completion";
  const toldElsewhere = billed && span.status === "ok" && client.test(span.scope) && !hasAny(attributes, countKeys);
  return toldElsewhere ? undefined : found;
}

const countKeys = [...tokens.input, ...tokens.output];

export const logfire = defineDialect({
  name: "logfire",
  scopes: ["logfire", "logfire.*", "pydantic-ai", "pydantic_ai*"],
  keys: genaiKeysWith({
    cost: ["operation.cost"],
    tokens: {
      input: [...tokens.input, `${sum}.input_tokens`],
      output: [...tokens.output, `${sum}.output_tokens`],
      cacheRead: [
        ...tokens.cacheRead,
        `${sum}.cache_read.input_tokens`,
        `${raw}.prompt_tokens_details.cached_tokens`,
        `${raw}.input_tokens_details.cached_tokens`,
        `${raw}.cache_read_input_tokens`,
      ],
      cacheWrite: [...tokens.cacheWrite, `${sum}.cache_creation.input_tokens`, `${raw}.cache_creation_input_tokens`],
      cacheWrite1h: [...tokens.cacheWrite1h, `${raw}.cache_creation.ephemeral_1h_input_tokens`],
      reasoning: [
        ...tokens.reasoning,
        `${sum}.details.reasoning_tokens`,
        `${raw}.completion_tokens_details.reasoning_tokens`,
        `${raw}.output_tokens_details.reasoning_tokens`,
      ],
    },
    attribution: alsoFrom({ agent: ["agent_name"] }),
    // Counts of an answer that is still streaming, and what the provider's raw usage repeats.
    understood: [...genaiKeys.understood, "gen_ai.usage.partial.*", `${raw}.*`, "gen_ai.usage.details.audio_tokens"],
  }),
  decidingKeys: ["gen_ai.operation.name"],
  keyPrefixes: ["gen_ai.usage."],
  jsonKeys: [raw],
  signature: ["operation.cost"],
  operationOf,
  levelOf: (_, { scope }) => (client.test(scope.name) ? "provider" : "wrapper"),
  cacheInput: () => "included",
  examples: logfireExamples,
});
