/** Token shift: calls grow, as when a template is sent twice or a retrieval returns whole documents. */

import { z } from "zod";
import type { ReplayCall } from "../replay-call.ts";
import { factorSchema, incidentFields } from "./incident-fields.ts";
import { changeAffected, type Scene } from "./scene.ts";

export const tokenShiftSchema = z.strictObject({
  kind: z.literal("token_shift"),
  ...incidentFields,
  input_factor: factorSchema.default(1),
  output_factor: factorSchema.default(1),
});

/** Multiplies input (its cached parts with it) and output (its reasoning with it). */
export function shiftTokens(incident: z.infer<typeof tokenShiftSchema>, scene: Scene): ReplayCall[] {
  const { input_factor: input, output_factor: output } = incident;
  return changeAffected(scene, (call) => ({
    ...call,
    inputTokens: scaled(call.inputTokens, input, Math.round),
    // Parts are rounded down, so that they never exceed the total that includes them.
    cacheReadTokens: scaled(call.cacheReadTokens, input, Math.floor),
    cacheWriteTokens: scaled(call.cacheWriteTokens, input, Math.floor),
    outputTokens: scaled(call.outputTokens, output, Math.round),
    reasoningTokens: scaled(call.reasoningTokens, output, Math.floor),
  }));
}

function scaled(tokens: number | undefined, factor: number, whole: (value: number) => number): number | undefined {
  return tokens === undefined ? undefined : whole(tokens * factor);
}
