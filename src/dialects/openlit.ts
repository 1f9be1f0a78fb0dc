/** OpenLIT. Source: openlit 1.15.0 (JavaScript) and 1.45.0 (Python), observed. */

import { alsoFrom } from "./attribution.ts";
import { defineDialect } from "./define-dialect.ts";
import { genaiOperation } from "./genai-operation.ts";
import { openlitExamples } from "./openlit.examples.ts";
import { genaiKeys, genaiKeysWith } from "./reading-keys.ts";

const { tokens } = genaiKeys;

export const openlit = defineDialect({
  name: "openlit",
  scopes: ["openlit*", "@openlit/*"],
  keys: genaiKeysWith({
    tokens: {
      cacheRead: [...tokens.cacheRead, "gen_ai.usage.prompt_tokens_details.cache_read"],
      cacheWrite: [...tokens.cacheWrite, "gen_ai.usage.prompt_tokens_details.cache_write"],
      reasoning: [...tokens.reasoning, "gen_ai.usage.completion_tokens_details.reasoning"],
      audioInput: [...tokens.audioInput, "gen_ai.usage.prompt_tokens_details.audio"],
      audioOutput: [...tokens.audioOutput, "gen_ai.usage.completion_tokens_details.audio"],
    },
    attribution: alsoFrom({
      environment: ["gen_ai.environment"],
      feature: ["gen_ai.application_name"],
      user: ["gen_ai.request.user"],
    }),
  }),
  decidingKeys: ["gen_ai.operation.name", "gen_ai.request.stream"],
  keyPrefixes: ["gen_ai.usage."],
  signature: ["gen_ai.sdk.version"],
  operationOf: genaiOperation,
  levelOf: ({ "gen_ai.system": system = "", "gen_ai.provider.name": provider = system }) =>
    /langchain|llama_?index|crewai|haystack|agent|litellm|dspy|vercel/.test(String(provider)) ? "wrapper" : "provider",
  // Anthropic's raw count goes through, without cached tokens.
  cacheInput: (provider) => (provider === "anthropic" ? "excluded" : "unknown"),
  examples: openlitExamples,
});
