/** Cache break: something at the front of the prompt changes with every call, so that the prefix is no longer found in the cache. */

import { z } from "zod";
import type { ReplayCall } from "../replay-call.ts";
import { incidentFields, shareSchema } from "./incident-fields.ts";
import { affected, type Scene } from "./scene.ts";

export const cacheBreakSchema = z.strictObject({
  kind: z.literal("cache_break"),
  ...incidentFields,
  /** What is left of the cached share: 0 is a cache that no longer serves anything. */
  cached: shareSchema,
  /**
   * Synthetic, for traces that do not say what was cached (Azure): concerned calls without cached tokens get this share of their input
   * as cached, at all times, so that there is a cache to break.
   */
  baseline_cached: shareSchema.optional(),
});

/** Turns cached input into uncached input; the sum of input stays. */
export function breakCache(incident: z.infer<typeof cacheBreakSchema>, scene: Scene): ReplayCall[] {
  const { cached, baseline_cached: baseline } = incident;
  return scene.calls.map((call) => {
    if (!scene.concerns(call)) return call;
    const withCache = baseline === undefined || (call.cacheReadTokens ?? 0) > 0 ? call : withBaseline(call, baseline);
    if (!affected(scene, call) || withCache.cacheReadTokens === undefined) return withCache;
    return { ...withCache, cacheReadTokens: Math.floor(withCache.cacheReadTokens * cached) };
  });
}

function withBaseline(call: ReplayCall, share: number): ReplayCall {
  const uncacheable = call.cacheWriteTokens ?? 0;
  return { ...call, cacheReadTokens: Math.floor(((call.inputTokens ?? 0) - uncacheable) * share) };
}
