/** Model fallback: a gateway quietly answers with another model. The request still names the old one, as with real gateways. */

import { z } from "zod";
import type { ReplayCall } from "../replay-call.ts";
import { incidentFields, shareSchema } from "./incident-fields.ts";
import { changeAffected, type Scene } from "./scene.ts";

export const modelFallbackSchema = z.strictObject({
  kind: z.literal("model_fallback"),
  ...incidentFields,
  to: z.string().min(1),
  provider: z.string().min(1).optional(),
  share: shareSchema.default(1),
});

/** Changes the model that answered, and the provider where one is given, for a share of the calls. */
export function fallBack(incident: z.infer<typeof modelFallbackSchema>, scene: Scene): ReplayCall[] {
  return changeAffected(scene, (call) => {
    if (scene.chance(call.spanKey) >= incident.share) return call;
    return { ...call, responseModel: incident.to, provider: incident.provider ?? call.provider };
  });
}
