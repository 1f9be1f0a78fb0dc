/** Points whose time nobody can use. */

import type { MetricPoint } from "./decoded-metrics.ts";

/** A producer's clock may run ahead by this much. */
const aheadMaxMs = 3_600_000;

/** Why the time of a point that arrived at `nowMs` cannot be kept for `keptMs`; undefined where it can. */
export function untimely({ timeUs }: MetricPoint, nowMs: number, keptMs: number): string | undefined {
  const atMs = timeUs / 1000;
  if (atMs > nowMs + aheadMaxMs)
    return `its time ${new Date(atMs).toISOString()} is in the future: check the producer's clock`;
  if (atMs >= nowMs - keptMs) return undefined;
  const days = Math.round(keptMs / 86_400_000);
  return `its time ${new Date(atMs).toISOString()} is before the ${days} days that metrics are kept`;
}
