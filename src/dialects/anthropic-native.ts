/**
 * What Anthropic's own SDKs tell of themselves: OpenTelemetry's keys, cache writes of five minutes and an hour told apart.
 * Source: @anthropic-ai/sdk 0.134.0 and later, observed with 1.12.0.
 */

import { anthropicNativeExamples } from "./anthropic-native.examples.ts";
import { alsoFrom } from "./attribution.ts";
import { defineDialect } from "./define-dialect.ts";
import { genaiOperation } from "./genai-operation.ts";
import { genaiKeysWith } from "./reading-keys.ts";

export const anthropicNative = defineDialect({
  name: "anthropic-native",
  scopes: ["com.anthropic.sdk.*"],
  keys: genaiKeysWith({
    finishReason: ["anthropic.message.stop_reason", "gen_ai.response.finish_reasons"],
    serviceTier: ["anthropic.response.service_tier"],
    attribution: alsoFrom({ session: ["anthropic.session.id"] }),
  }),
  decidingKeys: ["gen_ai.operation.name"],
  keyPrefixes: ["gen_ai.usage.", "anthropic.usage."],
  signature: [],
  operationOf: genaiOperation,
  levelOf: () => "provider",
  cacheInput: () => "included",
  examples: anthropicNativeExamples,
});
