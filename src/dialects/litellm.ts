/**
 * LiteLLM's `otel` callback, in the proxy and in the library. Source: litellm 1.106.2, observed;
 * litellm/integrations/opentelemetry.py.
 */

import { text } from "./attributes.ts";
import { alsoFrom } from "./attribution.ts";
import { defineDialect } from "./define-dialect.ts";
import { genaiOperation } from "./genai-operation.ts";
import { litellmExamples } from "./litellm.examples.ts";
import { genaiKeys, genaiKeysWith } from "./reading-keys.ts";

/** JSON of the usage as LiteLLM has it from the provider, with the details that its own keys leave out. */
const usage = "metadata.usage_object";
const { tokens } = genaiKeys;

export const litellm = defineDialect({
  name: "litellm",
  scopes: ["litellm"],
  keys: genaiKeysWith({
    cost: ["gen_ai.cost.total_cost"],
    tokens: {
      cacheRead: [
        ...tokens.cacheRead,
        `${usage}.prompt_tokens_details.cached_tokens`,
        `${usage}.cache_read_input_tokens`,
      ],
      cacheWrite: [
        ...tokens.cacheWrite,
        `${usage}.cache_creation_input_tokens`,
        `${usage}.prompt_tokens_details.cache_creation_tokens`,
      ],
      cacheWrite1h: [
        ...tokens.cacheWrite1h,
        `${usage}.prompt_tokens_details.cache_creation_token_details.ephemeral_1h_input_tokens`,
      ],
      reasoning: [...tokens.reasoning, `${usage}.completion_tokens_details.reasoning_tokens`],
    },
    attribution: alsoFrom({
      tenant: ["metadata.user_api_key_team_alias", "metadata.user_api_key_team_id"],
      feature: ["metadata.user_api_key_alias"],
      user: ["metadata.user_api_key_end_user_id", "llm.user", "metadata.user_api_key_user_id"],
    }),
  }),
  decidingKeys: ["gen_ai.operation.name", "llm.is_streaming", "litellm.call_id", "litellm.provider.model"],
  keyPrefixes: ["gen_ai.usage."],
  jsonKeys: [usage],
  signature: ["litellm.call_id", "gen_ai.cost.total_cost", "llm.is_streaming"],
  operationOf: genaiOperation,
  // A gateway, or a library that calls clients: the application's own span of the call is preferred.
  levelOf: () => "wrapper",
  cacheInput: () => "included",
  // Embeddings name their provider only before the model: `openai/text-embedding-3-small`.
  otherProvider: (attributes) => /^([^/]+)\//.exec(text(attributes["litellm.provider.model"]))?.[1] ?? "",
  examples: litellmExamples,
});
