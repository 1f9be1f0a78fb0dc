/** An entry that could not be read once, as it is put back into its log: whoever is given it can read it now. */

import { decodeSpansEntry } from "./spans-codec.ts";
import { decodeUsageEntry, encodeUsageEntry } from "./usage-codec.ts";

/**
 * @param log which of the two it stood in.
 * @param nowMs entries of the usage log never go back in time: those who judge it hear of its records now.
 * @throws CorruptEntry, OtherVersionEntry where this version cannot read it either.
 */
export function restoreEntry(log: "spans" | "usage", payload: Uint8Array, nowMs: number): Uint8Array {
  if (log === "usage") return encodeUsageEntry({ ...decodeUsageEntry(payload), arrivedAtMs: nowMs });
  decodeSpansEntry(payload);
  return payload;
}
