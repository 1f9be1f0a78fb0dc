/** Retry storm: calls fail after the provider has read, and billed, their input, and a client without a budget tries again. */

import { z } from "zod";
import type { ReplayCall } from "../replay-call.ts";
import { incidentFields, shareSchema } from "./incident-fields.ts";
import { affected, type Scene } from "./scene.ts";

export const retryStormSchema = z.strictObject({
  kind: z.literal("retry_storm"),
  ...incidentFields,
  /** Attempts per call, the last of which succeeds as recorded. */
  attempts: z.int().min(2).max(50),
  share: shareSchema.default(1),
  error_type: z.string().min(1).default("timeout"),
  delay_seconds: z.number().gt(0).max(600).default(2),
});

/** Puts failed attempts before a share of the calls, in the trace of the call, which comes later by as many delays. */
export function addRetries(incident: z.infer<typeof retryStormSchema>, scene: Scene): ReplayCall[] {
  const delayUs = Math.round(incident.delay_seconds * 1e6);
  return scene.calls.flatMap((call) => {
    if (!affected(scene, call) || scene.chance(call.spanKey) >= incident.share) return [call];
    const failed = Array.from({ length: incident.attempts - 1 }, (_, attempt): ReplayCall => {
      const startUs = call.startUs + attempt * delayUs;
      return {
        ...call,
        spanKey: `${scene.name} ${call.spanKey} attempt ${attempt + 1}`,
        startUs,
        // With a pause after it: attempts that touched would look like one call reported twice.
        endUs: startUs + Math.floor(delayUs * 0.8),
        // An attempt that timed out was read in full and answered nothing that anybody saw.
        outputTokens: 0,
        reasoningTokens: call.reasoningTokens === undefined ? undefined : 0,
        errorType: incident.error_type,
        finishReason: "",
        outcome: "",
        revenueUsd: "",
      };
    });
    const lateUs = delayUs * failed.length;
    return [...failed, { ...call, startUs: call.startUs + lateUs, endUs: call.endUs + lateUs }];
  });
}
