/**
 * OpenTelemetry's GenAI semantic conventions: the current keys, the old ones and the underscore variants of the field.
 * Source: open-telemetry/semantic-conventions-genai; old: semantic-conventions up to 1.36.
 */

import { defineDialect } from "./define-dialect.ts";
import { genaiOperation, hasGenaiKeys } from "./genai-operation.ts";
import { otelGenaiExamples } from "./otel-genai.examples.ts";
import { genaiKeys } from "./reading-keys.ts";

export const otelGenai = defineDialect({
  name: "otel-genai",
  scopes: ["@burnwatch/instrumentation", "@opentelemetry/instrumentation-*"],
  keys: genaiKeys,
  decidingKeys: ["gen_ai.operation.name"],
  keyPrefixes: ["gen_ai.usage."],
  matches: hasGenaiKeys,
  operationOf: genaiOperation,
  levelOf: () => "provider",
  examples: otelGenaiExamples,
});
