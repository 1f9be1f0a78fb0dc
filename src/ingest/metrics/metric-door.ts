/**
 * Takes decoded metrics into a log, for whoever stores them: in a cluster the points of an instance come through any
 * collector, and what its totals grew by is told by one who sees all of them.
 */

import { partitionOf } from "../../event-log/partition-of.ts";
import type { PartitionEntry } from "../../event-log/usage-log.ts";
import type { AcceptOutcome } from "../accept-outcome.ts";
import type { DecodedMetrics, MetricPoint, RejectedPoint } from "./decoded-metrics.ts";
import { encodeMetricEntries } from "./metric-entry.ts";
import { instanceOf } from "./metric-rows.ts";
import { untimely } from "./untimely.ts";

export interface MetricDoorOptions {
  /** Resolves when every one of them would survive a loss of power. */
  readonly append: (entries: readonly PartitionEntry[]) => Promise<unknown>;
  readonly partitions: number;
  readonly now: () => number;
  /** Points older than this are refused: their rows would expire at once. */
  readonly oldestMs: number;
  /** Points that wait to be appended, beyond which producers are told to come again. */
  readonly pendingPointsMax: number;
}

export class MetricDoor {
  readonly #options: MetricDoorOptions;
  #pendingPoints = 0;

  constructor(options: MetricDoorOptions) {
    this.#options = options;
  }

  /** Resolves when the points are in the log, or must be sent again. */
  async accept(decoded: DecodedMetrics): Promise<AcceptOutcome> {
    const { append, partitions, now, oldestMs, pendingPointsMax } = this.#options;
    const arrivedAtMs = now();
    const rejected: RejectedPoint[] = [];
    const points = decoded.points.filter((point) => {
      const reason = untimely(point, arrivedAtMs, oldestMs);
      if (reason !== undefined) rejected.push({ index: point.index, reason });
      return reason === undefined;
    });
    if (points.length === 0) return { kind: "accepted", rejected };
    if (this.#pendingPoints > 0 && this.#pendingPoints + points.length > pendingPointsMax)
      return { kind: "overloaded", retryAfterSeconds: 1 };
    this.#pendingPoints += points.length;
    try {
      await append(entriesOf(points, arrivedAtMs, partitions));
      return { kind: "accepted", rejected };
    } catch (error) {
      return { kind: "unavailable", retryAfterSeconds: 5, message: `log of metrics: ${(error as Error).message}` };
    } finally {
      this.#pendingPoints -= points.length;
    }
  }
}

/** Points of an instance stand together, in their order. */
function entriesOf(points: readonly MetricPoint[], arrivedAtMs: number, partitions: number): readonly PartitionEntry[] {
  const groups = Map.groupBy(points, (point) => partitionOf(instanceOf(point), partitions));
  return Array.from(groups, ([partition, of]) =>
    encodeMetricEntries({ arrivedAtMs, points: of }).map((payload) => ({ partition, payload })),
  ).flat();
}
