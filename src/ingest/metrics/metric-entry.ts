/** Points of metrics on their way from who takes them to who stores them, as entries of a log. */

import { deserialize, serialize } from "node:v8";
import { CorruptEntry, checkVersion } from "../../event-log/unreadable-entry.ts";
import type { MetricPoint } from "./decoded-metrics.ts";

export interface MetricEntry {
  readonly arrivedAtMs: number;
  readonly points: readonly MetricPoint[];
}

const version = 1;
/** As in the other logs: a version, and when it arrived. */
const arrivedAt = 5;
const headBytes = 13;
const entryBytesMax = 4 * 1024 * 1024;

/** At least one entry, each of at most four megabytes unless a single point takes more. */
export function encodeMetricEntries({ arrivedAtMs, points }: MetricEntry): readonly Uint8Array[] {
  const head = Buffer.alloc(headBytes);
  head[0] = version;
  head.writeDoubleLE(arrivedAtMs, arrivedAt);
  const entry = Buffer.concat([head, serialize(points)]);
  if (entry.length <= entryBytesMax || points.length <= 1) return [entry];
  const half = points.length >> 1;
  return [points.slice(0, half), points.slice(half)].flatMap((part) =>
    encodeMetricEntries({ arrivedAtMs, points: part }),
  );
}

/** @throws OtherVersionEntry, CorruptEntry. */
export function decodeMetricEntry(payload: Uint8Array): MetricEntry {
  checkVersion("metrics", payload[0], version);
  try {
    const entry = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    return { arrivedAtMs: entry.readDoubleLE(arrivedAt), points: deserialize(entry.subarray(headBytes)) };
  } catch (error) {
    throw new CorruptEntry(`no entry of metrics: ${(error as Error).message}`, { cause: error });
  }
}
