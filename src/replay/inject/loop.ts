/** Loop: an agent that does not stop. Each call repeats the same tool with the same arguments and carries all that went before. */

import { hash } from "node:crypto";
import { z } from "zod";
import type { ReplayCall } from "../replay-call.ts";
import { incidentFields, tokensSchema } from "./incident-fields.ts";
import type { Scene } from "./scene.ts";

export const loopSchema = z.strictObject({
  kind: z.literal("loop"),
  ...incidentFields,
  calls_per_minute: z.number().gt(0).max(10_000),
  input_growth_tokens: tokensSchema,
  /** Input of the first call; that of the call which the loop is modelled on where left out. */
  input_tokens: tokensSchema.optional(),
  /** A context window is finite: agents truncate. */
  input_tokens_max: tokensSchema.default(120_000),
  output_tokens: tokensSchema.optional(),
  run: z.string().min(1).default("runaway"),
  tool: z.string().min(1).default("search"),
});

const callsMax = 200_000;

/** Adds calls of one run, modelled on the last concerned call before it (or the first at all), at an even pace with a little jitter. */
export function addLoop(incident: z.infer<typeof loopSchema>, scene: Scene): ReplayCall[] {
  const concerned = scene.calls.filter(scene.concerns);
  const model = concerned.findLast((call) => call.startUs < scene.fromUs) ?? concerned[0];
  if (model === undefined) return [...scene.calls];
  const stepUs = 60e6 / incident.calls_per_minute;
  // A loop that is never stopped runs until the end of the trace, where the times count from.
  const untilUs = Math.min(scene.untilUs, 0);
  const count = Math.min(callsMax, Math.max(0, Math.floor((untilUs - scene.fromUs) / stepUs)));
  // Half a step at most: with the jitter, calls never overlap, which would look like one call reported twice.
  const durationUs = Math.min(model.endUs - model.startUs, Math.floor(stepUs / 2));
  const firstTokens = incident.input_tokens ?? model.inputTokens ?? 0;
  const added = Array.from({ length: count }, (_, index): ReplayCall => {
    const key = `${scene.name} ${index}`;
    const startUs = Math.round(scene.fromUs + (index + 0.5 * scene.chance(key)) * stepUs);
    const inputTokens = Math.min(incident.input_tokens_max, firstTokens + index * incident.input_growth_tokens);
    return {
      ...model,
      spanKey: key,
      traceKey: scene.name,
      startUs,
      endUs: startUs + durationUs,
      run: incident.run,
      inputTokens,
      cacheReadTokens: capped(model.cacheReadTokens, inputTokens),
      cacheWriteTokens: model.cacheWriteTokens === undefined ? undefined : 0,
      outputTokens: incident.output_tokens ?? model.outputTokens,
      reasoningTokens: capped(model.reasoningTokens, incident.output_tokens ?? model.outputTokens ?? 0),
      errorType: "",
      finishReason: "tool_calls",
      tool: incident.tool,
      toolArgsHash: hash("sha256", `${scene.name} arguments`, "hex").slice(0, 16),
    };
  });
  return [...scene.calls, ...added];
}

function capped(tokens: number | undefined, tokensMax: number): number | undefined {
  return tokens === undefined ? undefined : Math.min(tokens, tokensMax);
}
