/** What two remembered spans have to do with each other. */

import { type SeenSpan, spanBits } from "../event-log/usage-log.ts";

/** Clocks of one process may differ by this much between two instrumentations. */
export const toleranceUs = 1000;

/** Equal tokens, operation and model family, and no response ids that differ. */
export function isSameCall(one: SeenSpan, other: SeenSpan): boolean {
  const sameTokens = one.callHash !== 0 && one.callHash === other.callHash && one.modelHash === other.modelHash;
  const differ = one.responseHash !== 0 && other.responseHash !== 0 && one.responseHash !== other.responseHash;
  return sameTokens && !differ;
}

/** True where the two were under way at the same time. */
export function overlap(one: SeenSpan, other: SeenSpan): boolean {
  return one.startUs <= other.endUs + toleranceUs && other.startUs <= one.endUs + toleranceUs;
}

/** May have the request to the provider, or a retelling of it, beneath it. */
export function isWrapper({ bits }: SeenSpan): boolean {
  return (bits & spanBits.wrapper) !== 0;
}

/** The sum over several calls. */
export function isSum({ bits }: SeenSpan): boolean {
  return (bits & spanBits.aggregated) !== 0;
}
