/** The tier that served a call, in one spelling for all providers. */

import type { ServiceTier } from "./dialect.ts";

const tiers: ReadonlyMap<string, ServiceTier> = new Map<string, ServiceTier>([
  ["default", "default"],
  ["standard", "default"],
  ["on_demand", "default"],
  ["batch", "batch"],
  ["flex", "flex"],
  ["priority", "priority"],
]);

/** `standard` is Anthropic's `default`. What says nothing of the price (`auto`, OpenAI's prepaid `scale`) is unknown. */
export function serviceTier(spelled: string): ServiceTier {
  return spelled === "" ? "" : (tiers.get(spelled.toLowerCase()) ?? "");
}
