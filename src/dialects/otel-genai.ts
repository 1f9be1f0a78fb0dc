/**
 * OpenTelemetry's GenAI semantic conventions: the current keys, the old ones and the underscore variants of the field.
 * Source: open-telemetry/semantic-conventions-genai; old: semantic-conventions up to 1.36.
 */

import { defineDialect } from "./define-dialect.ts";
import { genaiOperation } from "./genai-operation.ts";
import { otelGenaiExamples } from "./otel-genai.examples.ts";
import { genaiKeys } from "./reading-keys.ts";

export const otelGenai = defineDialect({
  name: "otel-genai",
  scopes: [
    "@burnwatch/instrumentation",
    "burnwatch-replay",
    "@opentelemetry/instrumentation-*",
    "opentelemetry.instrumentation.openai_v2",
  ],
  keys: genaiKeys,
  decidingKeys: ["gen_ai.operation.name"],
  keyPrefixes: ["gen_ai.usage."],
  signature: [
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.system",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
  ],
  operationOf: genaiOperation,
  levelOf: () => "provider",
  examples: otelGenaiExamples,
});
