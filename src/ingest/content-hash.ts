/** A signed 32-bit fingerprint of what a record claims: enough to tell a repeat from a different claim about the same call. */

import type { UsageRecord } from "../model/usage-record.ts";

export function contentHash(record: UsageRecord): number {
  const { usage } = record;
  let hash = 0x811c9dc5;
  const mix = (value: number) => {
    // FNV-1a over the low and high halves: token counts and nano-dollars go beyond 32 bits.
    hash = Math.imul(hash ^ (value | 0), 0x01000193);
    hash = Math.imul(hash ^ Math.floor(value / 0x100000000), 0x01000193);
  };
  mix(usage.input);
  mix(usage.cacheRead);
  mix(usage.cacheWrite5m);
  mix(usage.cacheWrite1h);
  mix(usage.output);
  mix(usage.reasoning);
  // Not our price: it changes with the price list, and the claim does not.
  mix(record.reportedNanoUsd ?? -1);
  return hash | 0;
}
