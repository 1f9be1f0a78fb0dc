/**
 * In a cluster detectors work in two stages. The first has a partition of the usage topic each and runs what watches
 * features and what is narrower: those are whole there. What watches tenants, providers or the fleet sums, so that it needs
 * no single calls: the second stage runs it over the sums that the first tells (`deltas.ts`), all of them in one place.
 * A detector runs in one stage with all of its scopes, since the narrower ones borrow from the wider.
 */

import type { Detector, Scope } from "../../detectors/detector.ts";

export type Stage = "parts" | "wholes";

const wide: ReadonlySet<Scope> = new Set<Scope>(["fleet", "provider", "tenant", "user", "session", "instance"]);

/** Which detectors run in a stage. */
export function runsIn(stage: Stage): (detector: Detector) => boolean {
  return ({ scopes }) => scopes.some((scope) => wide.has(scope)) === (stage === "wholes");
}
