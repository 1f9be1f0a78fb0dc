/**
 * Sentry's AI monitoring: OpenTelemetry's keys with Sentry's operation and origin. Source: @sentry/node 10.78,
 * observed; 11 hands its spans to no exporter but Sentry's; @sentry/conventions.
 */

import type { Attributes } from "../model/span.ts";
import type { Operation } from "../model/usage-record.ts";
import { text } from "./attributes.ts";
import { alsoFrom } from "./attribution.ts";
import { defineDialect } from "./define-dialect.ts";
import { genaiOperation } from "./genai-operation.ts";
import { genaiKeys, genaiKeysWith } from "./reading-keys.ts";
import { sentryExamples } from "./sentry.examples.ts";

const { tokens } = genaiKeys;

/** `gen_ai.chat` and its like, where no operation is named. */
function operationOf(attributes: Attributes): Operation | "unknown" | undefined {
  const { "gen_ai.operation.name": name, "sentry.op": op } = attributes;
  if (name !== undefined || op === undefined) return genaiOperation(attributes);
  const operation = text(op).replace(/^gen_ai\./, "");
  return genaiOperation({ ...attributes, "gen_ai.operation.name": operation });
}

export const sentry = defineDialect({
  name: "sentry",
  scopes: ["@sentry/*", "sentry*"],
  keys: genaiKeysWith({
    cost: ["gen_ai.cost.total_tokens"],
    tokens: {
      cacheRead: [...tokens.cacheRead, "gen_ai.usage.input_tokens.cached"],
      cacheWrite: [...tokens.cacheWrite, "gen_ai.usage.input_tokens.cache_write"],
      reasoning: [...tokens.reasoning, "gen_ai.usage.output_tokens.reasoning"],
    },
    attribution: alsoFrom({
      environment: ["sentry.environment"],
      feature: ["gen_ai.pipeline.name", "gen_ai.function_id"],
      release: ["sentry.release"],
    }),
    understood: [
      ...genaiKeys.understood,
      "gen_ai.usage.input_tokens.cache_miss",
      "gen_ai.usage.output_tokens.prediction_accepted",
      "gen_ai.usage.output_tokens.prediction_rejected",
    ],
  }),
  decidingKeys: ["gen_ai.operation.name", "sentry.op", "sentry.origin"],
  keyPrefixes: ["gen_ai.usage."],
  signature: ["sentry.op"],
  operationOf,
  levelOf: ({ "sentry.origin": origin = "" }) =>
    /^auto\.ai\.(?:openai|anthropic|google_genai|mistral)/.test(String(origin)) ? "provider" : "wrapper",
  // Its integrations add Anthropic's cached tokens to the input.
  cacheInput: () => "included",
  examples: sentryExamples,
});
