/** What a decoder makes of one OTLP metrics export request. */

import type { Attributes } from "../../model/span.ts";
import { type DecodeLimits, MalformedExportError, type SpanFilter } from "../decoded-export.ts";
import { FilterMemo } from "../otlp-filter-memo.ts";

/**
 * How a value relates to time: `gauge` at an instant (sums that go up and down are of this kind), `delta` since
 * `startUs`, `cumulative` a total since `startUs` that only grows.
 */
export type MetricKind = "gauge" | "delta" | "cumulative";

/** One data point that is kept: a number, or a histogram of which sum and count are read. */
export interface MetricPoint {
  /** Position among the data points of the request, from 0. */
  readonly index: number;
  readonly name: string;
  readonly unit: string;
  readonly kind: MetricKind;
  /** Name and version of the instrumentation scope. */
  readonly scope: string;
  readonly resource: Attributes;
  readonly attributes: Attributes;
  /** Unix microseconds; 0 where unknown. */
  readonly startUs: number;
  /** Unix microseconds. */
  readonly timeUs: number;
  /** The number, or a histogram's sum. */
  readonly value: number;
  /** A histogram's count; null for a number. */
  readonly count: number | null;
}

export interface RejectedPoint {
  readonly index: number;
  readonly reason: string;
}

export interface DecodedMetrics {
  readonly points: readonly MetricPoint[];
  /** Data points of metrics that nobody keeps, or without a value: counted, not kept. */
  readonly otherPoints: number;
  readonly rejected: readonly RejectedPoint[];
}

/** What a decoder has met so far, beside where it stands. */
export interface MetricsWalk {
  readonly keeps: MetricFilter;
  readonly points: MetricPoint[];
  readonly rejected: RejectedPoint[];
  otherPoints: number;
  /** Data points met so far, which is also the position of the next one. */
  pointCount: number;
  metricCount: number;
  containerCount: number;
}

/** At the start of a request. */
export function metricsWalk(keeps: MetricFilter): MetricsWalk {
  return { keeps, points: [], rejected: [], otherPoints: 0, pointCount: 0, metricCount: 0, containerCount: 0 };
}

/** Of the data around a metric. */
export interface ScopeHome {
  readonly scope: string;
  readonly resource: Attributes;
  /** Why no point of this resource can be kept, or empty. */
  readonly fault: string;
}

/** What is read of a metric, by its name: numbers (gauges and sums), histograms, or nothing. */
export type MetricFilter = (name: string) => "numbers" | "histograms" | null;

/** Bytes of one attribute value of a point or its resource; longer ones are cut. */
const attributeBytesMax = 256;

/** A point's attributes tell its series apart, so all are read; which of them are stored is decided by the rows. */
const everything: SpanFilter = { keepsAttribute: () => true, keepsSpan: () => true };
export const pointMemo = new FilterMemo(everything);

/** The limits of traces, with shorter attribute values; `spansMax` bounds the data points. */
export function pointLimits(limits: DecodeLimits): DecodeLimits {
  return { ...limits, attributeBytesMax };
}

/** What both decoders refuse of a point, in the same words. */
export const pointRefusals = {
  temporality: "its aggregation temporality must be delta or cumulative",
  noTime: "its time must be set",
  reversed: "it starts after its time",
  infinite: "its value must be finite",
  sum: "a histogram must carry a sum and a count from 0 to 2^53",
  surplus: (limits: DecodeLimits) =>
    `a request may hold ${limits.spansMax} data points; lower the exporter's batch size`,
};

/** Of the same purpose as `checkCount` of spans. @throws MalformedExportError beyond sixteen times the limit. */
export function checkPoints(count: number, limits: DecodeLimits): void {
  if (count <= limits.spansMax * 16) return;
  throw new MalformedExportError(`expected at most ${limits.spansMax * 16} metrics and data points in one request`);
}

/** A point as read, before it is known to be sound. */
export interface RawPoint {
  readonly attributes: Attributes;
  readonly startUs: number;
  readonly timeUs: number;
  /** Undefined where absent. */
  readonly value: number | undefined;
  readonly count: number | null;
  readonly flags: number;
}

/** Of the data around a point. */
export interface PointHome extends Pick<MetricPoint, "name" | "unit" | "scope" | "resource"> {
  /** Undefined where the temporality is neither. */
  readonly kind: MetricKind | undefined;
}

/** The point, `other` where it carries no value, or why it is refused. */
export function judgePoint(raw: RawPoint, home: PointHome, index: number): MetricPoint | "other" | string {
  const { attributes, startUs, timeUs, value, count, flags } = raw;
  const { name, unit, scope, resource, kind } = home;
  if ((flags & 1) === 1 || (count === null && (value === undefined || Number.isNaN(value)))) return "other";
  if (kind === undefined) return pointRefusals.temporality;
  if (timeUs === 0) return pointRefusals.noTime;
  if (startUs > timeUs) return pointRefusals.reversed;
  if (count !== null && !(isTotal(value) && isTotal(count))) return pointRefusals.sum;
  if (value === undefined || !Number.isFinite(value)) return pointRefusals.infinite;
  return { index, name, unit, kind, scope, resource, attributes, startUs, timeUs, value, count };
}

function isTotal(value: number | undefined): boolean {
  return value !== undefined && value >= 0 && value <= Number.MAX_SAFE_INTEGER;
}

/** AggregationTemporality of the protocol (1 delta, 2 cumulative) and whether a sum only grows. */
export function kindOf(temporality: number, monotonic: boolean): MetricKind | undefined {
  if (temporality === 1) return "delta";
  if (temporality === 2) return monotonic ? "cumulative" : "gauge";
  return undefined;
}
