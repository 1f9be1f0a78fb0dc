/** OTLP/JSON metrics exports: parsed, then walked. A wrong type in one data point costs that point, elsewhere the request. */

import { type DecodeLimits, MalformedExportError } from "../decoded-export.ts";
import { listAt, objectAt, readScope, readText, readUnixMicros, sound } from "../otlp-json.ts";
import { isObject, type JsonObject, parseJson } from "../otlp-json-shape.ts";
import { type JsonCursor, misfit, readAttributes, readDouble } from "../otlp-json-values.ts";
import { checkCount, refusals } from "../otlp-refusals.ts";
import {
  checkPoints,
  type DecodedMetrics,
  judgePoint,
  kindOf,
  type MetricFilter,
  type MetricsWalk,
  metricsWalk,
  type PointHome,
  pointLimits,
  pointMemo,
  pointRefusals,
  type RawPoint,
  type ScopeHome,
} from "./decoded-metrics.ts";

type Walk = JsonCursor & MetricsWalk;

/** In the order of the protocol, in which the last of several counts. */
const dataNames = ["gauge", "sum", "histogram", "exponentialHistogram", "summary"] as const;

/**
 * Decodes an `ExportMetricsServiceRequest` in OTLP/JSON, by the rules of `decodeJsonExport`. The result equals that of
 * `decodeProtobufMetrics` for the same request.
 * @throws MalformedExportError when the text is no JSON, or anything but a data point has a wrong type, with its path.
 */
export function decodeJsonMetrics(body: Uint8Array, limits: DecodeLimits, keeps: MetricFilter): DecodedMetrics {
  const buffer = Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const request = objectAt(parseJson(buffer, limits.depthMax), "the request");
  const walk: Walk = {
    limits: pointLimits(limits),
    memo: pointMemo,
    room: 0,
    fault: "",
    limited: false,
    ...metricsWalk(keeps),
  };
  for (const [i, each] of listAt(request["resourceMetrics"], "resourceMetrics").entries())
    readResourceMetrics(walk, each, `resourceMetrics[${i}]`);
  return { points: walk.points, otherPoints: walk.otherPoints, rejected: walk.rejected };
}

function readResourceMetrics(walk: Walk, json: unknown, path: string): void {
  checkCount(++walk.containerCount, "resources and scopes", walk.limits);
  const resourceMetrics = objectAt(json, path);
  const holder = objectAt(resourceMetrics["resource"] ?? {}, `${path}.resource`);
  sound(walk);
  const attributesPath = `${path}.resource.attributes`;
  const resource = readAttributes(walk, holder["attributes"], attributesPath, refusals.resource(walk.limits));
  if (walk.fault !== "" && !walk.limited) throw new MalformedExportError(walk.fault);
  const { fault } = walk;
  for (const [i, each] of listAt(resourceMetrics["scopeMetrics"], `${path}.scopeMetrics`).entries()) {
    checkCount(++walk.containerCount, "resources and scopes", walk.limits);
    const scopePath = `${path}.scopeMetrics[${i}]`;
    const scopeMetrics = objectAt(each, scopePath);
    const scope = readScope(walk, scopeMetrics["scope"] ?? {}, `${scopePath}.scope`);
    for (const [j, metric] of listAt(scopeMetrics["metrics"], `${scopePath}.metrics`).entries())
      readMetric(walk, metric, { scope, resource, fault }, `${scopePath}.metrics[${j}]`);
  }
}

function readMetric(walk: Walk, json: unknown, home: ScopeHome, path: string): void {
  checkPoints(++walk.metricCount, walk.limits);
  const metric = objectAt(json, path);
  sound(walk);
  const name = readText(walk, metric["name"], `${path}.name`);
  const unit = readText(walk, metric["unit"], `${path}.unit`);
  if (walk.fault !== "") throw new MalformedExportError(walk.fault);
  const dataName = dataNames.findLast((each) => (metric[each] ?? undefined) !== undefined);
  if (dataName === undefined) return;
  const data = objectAt(metric[dataName], `${path}.${dataName}`);
  const points = listAt(data["dataPoints"], `${path}.${dataName}.dataPoints`);
  const kept = walk.keeps(name);
  const isNumber = dataName === "gauge" || dataName === "sum";
  const isHistogram = dataName === "histogram" || dataName === "exponentialHistogram";
  if (!((kept === "numbers" && isNumber) || (kept === "histograms" && isHistogram))) {
    walk.pointCount += points.length;
    walk.otherPoints += points.length;
    checkPoints(walk.pointCount, walk.limits);
    return;
  }
  const temporality = temporalityOf(data["aggregationTemporality"]);
  const kind = dataName === "gauge" ? "gauge" : kindOf(temporality, isHistogram || data["isMonotonic"] === true);
  const { scope, resource, fault } = home;
  for (const point of points) takePoint(walk, point, { name, unit, kind, scope, resource }, { isNumber, fault });
}

/** The specification has numbers; names are accepted although it forbids to send them. */
function temporalityOf(value: unknown): number {
  if (value === "AGGREGATION_TEMPORALITY_DELTA") return 1;
  if (value === "AGGREGATION_TEMPORALITY_CUMULATIVE") return 2;
  return typeof value === "number" ? value : 0;
}

interface Taking {
  readonly isNumber: boolean;
  readonly fault: string;
}

function takePoint(walk: Walk, json: unknown, home: PointHome, { isNumber, fault }: Taking): void {
  const index = walk.pointCount++;
  checkPoints(walk.pointCount, walk.limits);
  sound(walk);
  walk.fault = index < walk.limits.spansMax ? fault : pointRefusals.surplus(walk.limits);
  const raw = walk.fault === "" ? readPoint(walk, json, isNumber) : undefined;
  const judged = raw === undefined || walk.fault !== "" ? walk.fault : judgePoint(raw, home, index);
  if (judged === "other") walk.otherPoints++;
  else if (typeof judged === "string") walk.rejected.push({ index, reason: judged });
  else walk.points.push(judged);
}

function readPoint(walk: Walk, json: unknown, isNumber: boolean): RawPoint | undefined {
  if (!isObject(json)) return misfit(walk, "data point", "an object", json);
  const attributes = readAttributes(walk, json["attributes"], "attributes", refusals.attributes(walk.limits));
  return {
    attributes,
    startUs: readUnixMicros(walk, json["startTimeUnixNano"], "startTimeUnixNano"),
    timeUs: readUnixMicros(walk, json["timeUnixNano"], "timeUnixNano"),
    value: isNumber ? readNumber(walk, json) : readOptional(walk, json, "sum"),
    count: isNumber ? null : readCount(walk, json["count"]),
    flags: readFlags(walk, json["flags"]),
  };
}

/** `asInt` comes after `asDouble` in the protocol's order of the two. */
function readNumber(walk: Walk, json: JsonObject): number | undefined {
  const integer = json["asInt"] ?? undefined;
  if (integer === undefined) return readOptional(walk, json, "asDouble");
  if (typeof integer === "number" && Number.isInteger(integer)) return integer;
  if (typeof integer === "string" && /^-?\d{1,19}$/.test(integer)) return Number(integer) + 0;
  return misfit(walk, "asInt", "an int64 as a decimal string", integer);
}

function readOptional(walk: Walk, json: JsonObject, field: string): number | undefined {
  const value = json[field] ?? undefined;
  return value === undefined ? undefined : (readDouble(value) ?? misfit(walk, field, "a number", value));
}

function readCount(walk: Walk, value: unknown): number {
  if (value === undefined || value === null) return 0;
  const count = typeof value === "string" && /^\d{1,20}$/.test(value) ? Number(value) : value;
  if (typeof count === "number" && Number.isInteger(count) && count >= 0) return count;
  misfit(walk, "count", "a decimal string", value);
  return 0;
}

function readFlags(walk: Walk, value: unknown): number {
  if (value === undefined || value === null) return 0;
  if (typeof value === "number" && Number.isInteger(value)) return value;
  misfit(walk, "flags", "an integer", value);
  return 0;
}
