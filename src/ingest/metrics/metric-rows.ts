/** From data points to rows. Totals become differences here; everything else is taken as it came. */

import { hash } from "node:crypto";
import type { MetricRows, ResourcePoint, TokenClaim } from "../../model/metric-rows.ts";
import type { Attributes, AttributeValue } from "../../model/span.ts";
import type { MetricPoint } from "./decoded-metrics.ts";
import { deviceKeys, identityKeys, instanceKeys, labelKeys, modelKeys, tokenUsageMetric } from "./metric-names.ts";

/** The newest total of a stream: a cumulative series since one start. */
export interface StreamTotal {
  readonly atUs: number;
  readonly value: number;
  readonly count: number;
}

/** Newest totals by `series:startedUs`. */
export interface StreamTotals {
  get(stream: string): StreamTotal | undefined;
  set(stream: string, total: StreamTotal): void;
}

/** A stream that began this long before its first point arrived was counting before anyone listened: that total is no claim. */
const freshStreamMaxUs = 10 * 60_000_000;
const textLengthMax = 256;

/** Asked for by the limits and again by the rows. */
const seriesKnown = new WeakMap<MetricPoint, string>();

/** The name of a series: equal for all points of it whatever the order of their attributes. 16 hex digits. */
export function seriesOf(point: MetricPoint): string {
  const known = seriesKnown.get(point);
  if (known !== undefined) return known;
  const series = hashSeries(point);
  seriesKnown.set(point, series);
  return series;
}

function hashSeries({ name, scope, resource, attributes }: MetricPoint): string {
  const identity = identityKeys.map((key) => [key, resource[key] ?? ""]);
  const own = Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  const text = JSON.stringify([name, scope.split("@", 1)[0], identity, own]);
  return hash("sha256", text, "hex").slice(0, 16);
}

/** Who sent a point: service and instance, "" where unknown. */
export function instanceOf({ resource, attributes }: MetricPoint): string {
  return first(attributes, instanceKeys.point) || first(resource, instanceKeys.resource);
}

/**
 * Rows of points in the order of their arrival. `totals` is read and moved on; where the rows are not stored after all it
 * must be forgotten. A total that is not newer than the newest of its stream gives no row: a repeat, or a late one that a
 * newer total covers.
 */
export function metricRows(points: readonly MetricPoint[], totals: StreamTotals, arrivedAtUs: number): MetricRows {
  const rows = { claims: [] as TokenClaim[], points: [] as ResourcePoint[] };
  for (const point of points) {
    const series = seriesOf(point);
    const growth = growthOf(point, series, totals, arrivedAtUs);
    if (growth === undefined) continue;
    if (point.name === tokenUsageMetric) rows.claims.push(claimOf(point, series, growth));
    else rows.points.push(resourcePointOf(point, series, growth));
  }
  return rows;
}

/** What a point adds, and since when. */
interface Growth {
  readonly fromUs: number;
  readonly value: number;
  readonly count: number;
}

function growthOf(point: MetricPoint, series: string, totals: StreamTotals, arrivedAtUs: number): Growth | undefined {
  const { kind, startUs, timeUs, value } = point;
  const count = point.count ?? 0;
  if (kind !== "cumulative") return { fromUs: startUs === 0 ? timeUs : startUs, value, count };
  const stream = `${series}:${startUs}`;
  const before = totals.get(stream);
  if (before !== undefined && timeUs <= before.atUs) return undefined;
  totals.set(stream, { atUs: timeUs, value, count });
  if (before === undefined) {
    const fresh = startUs > 0 && arrivedAtUs - startUs <= freshStreamMaxUs;
    return fresh ? { fromUs: startUs, value, count } : { fromUs: timeUs, value: 0, count: 0 };
  }
  // A total that shrinks under the same start began anew without saying so.
  if (value < before.value || count < before.count) return { fromUs: before.atUs, value, count };
  return { fromUs: before.atUs, value: value - before.value, count: count - before.count };
}

function claimOf(point: MetricPoint, series: string, growth: Growth): TokenClaim {
  const { attributes, resource, scope, startUs, timeUs, kind } = point;
  const cumulative = kind === "cumulative";
  return {
    fromUs: growth.fromUs,
    toUs: timeUs,
    service: text(resource["service.name"]),
    instance: instanceOf(point),
    scope: scope.slice(0, textLengthMax),
    provider: text(attributes["gen_ai.provider.name"]) || text(attributes["gen_ai.system"]),
    model: first(attributes, modelKeys),
    operation: text(attributes["gen_ai.operation.name"]),
    tokenType: text(attributes["gen_ai.token.type"]),
    series,
    startedUs: startUs,
    tokens: Math.round(growth.value),
    calls: growth.count,
    totalTokens: cumulative ? Math.round(point.value) : 0,
    totalCalls: cumulative ? (point.count ?? 0) : 0,
    temporality: cumulative ? "cumulative" : "delta",
  };
}

function resourcePointOf(point: MetricPoint, series: string, growth: Growth): ResourcePoint {
  const { attributes, resource, name, unit, kind, startUs, timeUs, value } = point;
  const labels = labelKeys.flatMap((key) => {
    const label = text(attributes[key]);
    return label === "" ? [] : [`${key}=${label}`];
  });
  return {
    atUs: timeUs,
    service: text(resource["service.name"]),
    instance: instanceOf(point),
    device: first(attributes, deviceKeys),
    model: first(attributes, modelKeys),
    labels: labels.join(","),
    name,
    unit,
    kind,
    series,
    startedUs: kind === "gauge" ? 0 : startUs,
    value,
    increase: growth.value,
  };
}

function first(attributes: Attributes, keys: readonly string[]): string {
  for (const key of keys) {
    const found = text(attributes[key]);
    if (found !== "") return found;
  }
  return "";
}

function text(value: AttributeValue | undefined): string {
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return typeof value === "string" ? value.slice(0, textLengthMax) : "";
}
