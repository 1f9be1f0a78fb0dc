/**
 * Pydantic's Logfire and pydantic-ai: OpenTelemetry's keys, the raw usage as JSON, and a cost. Source: logfire 5.2,
 * pydantic-ai 2.31, observed.
 */

import { alsoFrom } from "./attribution.ts";
import { defineDialect, hasAny } from "./define-dialect.ts";
import { genaiOperation } from "./genai-operation.ts";
import { logfireExamples } from "./logfire.examples.ts";
import { genaiKeys, genaiKeysWith } from "./reading-keys.ts";

const raw = "gen_ai.usage.raw";
const { tokens } = genaiKeys;

export const logfire = defineDialect({
  name: "logfire",
  scopes: ["logfire", "logfire.*", "pydantic-ai", "pydantic_ai*"],
  keys: genaiKeysWith({
    cost: ["operation.cost"],
    tokens: {
      cacheRead: [
        ...tokens.cacheRead,
        `${raw}.prompt_tokens_details.cached_tokens`,
        `${raw}.input_tokens_details.cached_tokens`,
        `${raw}.cache_read_input_tokens`,
      ],
      cacheWrite: [...tokens.cacheWrite, `${raw}.cache_creation_input_tokens`],
      cacheWrite1h: [...tokens.cacheWrite1h, `${raw}.cache_creation.ephemeral_1h_input_tokens`],
      reasoning: [
        ...tokens.reasoning,
        `${raw}.completion_tokens_details.reasoning_tokens`,
        `${raw}.output_tokens_details.reasoning_tokens`,
      ],
    },
    attribution: alsoFrom({ agent: ["agent_name"] }),
    // Counts of an answer that is still streaming, and what the provider's raw usage repeats.
    understood: [...genaiKeys.understood, "gen_ai.usage.partial.*", `${raw}.*`],
  }),
  decidingKeys: ["gen_ai.operation.name"],
  keyPrefixes: ["gen_ai.usage."],
  jsonKeys: [raw],
  matches: (attributes) => hasAny(attributes, ["operation.cost"]),
  operationOf: genaiOperation,
  levelOf: (_, { scope }) => (/^logfire\.(?:openai|anthropic|google)/.test(scope.name) ? "provider" : "wrapper"),
  cacheInput: () => "included",
  examples: logfireExamples,
});
