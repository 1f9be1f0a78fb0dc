/** OTLP/protobuf metrics exports, decoded by a walk that enters only the metrics somebody keeps. */

import protobuf from "protobufjs/minimal.js";
import type { AttributeValue } from "../../model/span.ts";
import { type DecodeLimits, MalformedExportError } from "../decoded-export.ts";
import { readResource, readScope, readUnixMicros } from "../otlp-protobuf.ts";
import { type Cursor, enter, readAttribute, readText, skip } from "../otlp-protobuf-values.ts";
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

type Walk = Cursor & MetricsWalk;

/** Tags of a Metric's data: gauge, sum, histogram, exponential histogram, summary. */
const [gauge, sum, histogram, exponential, summary] = [0x2a, 0x3a, 0x4a, 0x52, 0x5a];

/** Tags of the fields that differ between the kinds of data points. */
interface PointTags {
  readonly attributes: number;
  readonly flags: number;
}
const numberTags: PointTags = { attributes: 0x3a, flags: 0x40 };
const histogramTags: PointTags = { attributes: 0x4a, flags: 0x50 };
const exponentialTags: PointTags = { attributes: 0x0a, flags: 0x50 };

/**
 * Decodes an `ExportMetricsServiceRequest` (opentelemetry-proto, collector/metrics/v1), not compressed. Points come in
 * the order of the request. Buckets, exemplars and quantiles are passed over.
 * @throws MalformedExportError when the bytes are no such message, with what was expected at which byte.
 */
export function decodeProtobufMetrics(body: Uint8Array, limits: DecodeLimits, keeps: MetricFilter): DecodedMetrics {
  const buffer = Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const walk: Walk = {
    reader: protobuf.Reader.create(buffer),
    buffer,
    view: new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength),
    limits: pointLimits(limits),
    memo: pointMemo,
    skipDepth: protobuf.Reader.recursionLimit - limits.depthMax,
    room: 0,
    fault: "",
    ...metricsWalk(keeps),
  };
  try {
    eachMessage(walk, 0x0a, "a ResourceMetrics", () => readResourceMetrics(walk));
  } catch (error) {
    if (error instanceof MalformedExportError || !(error instanceof Error)) throw error;
    throw new MalformedExportError(`expected a protobuf field at byte ${walk.reader.pos}, got ${error.message}`);
  }
  return { points: walk.points, otherPoints: walk.otherPoints, rejected: walk.rejected };
}

/** Reads every message under one tag up to `reader.len` and passes over the rest. */
function eachMessage(walk: Walk, wanted: number, what: string, read: () => void): void {
  const { reader } = walk;
  while (reader.pos < reader.len) {
    const tag = reader.tag();
    if (tag !== wanted) {
      skip(walk, tag);
      continue;
    }
    const outer = enter(reader, what);
    read();
    reader.pos = reader.len;
    reader.len = outer;
  }
}

function readResourceMetrics(walk: Walk): void {
  const { reader } = walk;
  checkCount(++walk.containerCount, "resources and scopes", walk.limits);
  const start = reader.pos;
  const resource: Record<string, AttributeValue> = {};
  walk.fault = "";
  // Fields may come in any order: first what the rest shares.
  while (reader.pos < reader.len) {
    const tag = reader.tag();
    if (tag === 0x0a) readResource(walk, resource);
    else skip(walk, tag);
  }
  const { fault } = walk;
  reader.pos = start;
  eachMessage(walk, 0x12, "a ScopeMetrics", () => {
    checkCount(++walk.containerCount, "resources and scopes", walk.limits);
    const scopeStart = reader.pos;
    let scope = "";
    while (reader.pos < reader.len) {
      const tag = reader.tag();
      if (tag === 0x0a) scope = readScope(walk);
      else skip(walk, tag);
    }
    reader.pos = scopeStart;
    eachMessage(walk, 0x12, "a Metric", () => readMetric(walk, { scope, resource, fault }));
  });
}

function readMetric(walk: Walk, home: ScopeHome): void {
  const { reader } = walk;
  checkPoints(++walk.metricCount, walk.limits);
  let name = "";
  let unit = "";
  let data = 0;
  let dataAt: number[] = [];
  while (reader.pos < reader.len) {
    const tag = reader.tag();
    walk.room = walk.limits.attributeBytesMax;
    if (tag === 0x0a) name = readText(walk, "a metric name");
    else if (tag === 0x1a) unit = readText(walk, "a metric unit");
    else {
      if (tag === gauge || tag === sum || tag === histogram || tag === exponential || tag === summary) {
        // One of several counts, the last; the same one several times is one message in parts.
        if (tag !== data) dataAt = [];
        data = tag;
        dataAt.push(reader.pos);
      }
      skip(walk, tag);
    }
  }
  const end = reader.len;
  const kept = walk.keeps(name);
  const wanted =
    (kept === "numbers" && (data === gauge || data === sum)) ||
    (kept === "histograms" && (data === histogram || data === exponential));
  for (const at of dataAt) {
    reader.pos = at;
    enter(reader, "the data of a metric");
    if (wanted) readData(walk, data, { name, unit, home });
    else eachMessage(walk, 0x0a, "a data point", () => countOther(walk));
    reader.len = end;
  }
}

function countOther(walk: Walk): void {
  checkPoints(++walk.pointCount, walk.limits);
  walk.otherPoints++;
}

interface MetricHead {
  readonly name: string;
  readonly unit: string;
  readonly home: ScopeHome;
}

function readData(walk: Walk, data: number, { name, unit, home }: MetricHead): void {
  const { reader } = walk;
  const start = reader.pos;
  let temporality = 0;
  let monotonic = false;
  while (reader.pos < reader.len) {
    const tag = reader.tag();
    if (tag === 0x10) temporality = reader.int32();
    else if (tag === 0x18) monotonic = reader.bool();
    else skip(walk, tag);
  }
  const kind = data === gauge ? "gauge" : kindOf(temporality, data === sum ? monotonic : true);
  const { scope, resource, fault } = home;
  const pointHome: PointHome = { name, unit, kind, scope, resource };
  const tags = data === exponential ? exponentialTags : data === histogram ? histogramTags : numberTags;
  reader.pos = start;
  eachMessage(walk, 0x0a, "a data point", () => {
    const index = walk.pointCount++;
    checkPoints(walk.pointCount, walk.limits);
    walk.fault = index < walk.limits.spansMax ? fault : pointRefusals.surplus(walk.limits);
    const raw = walk.fault === "" ? readPoint(walk, tags) : undefined;
    const judged = raw === undefined || walk.fault !== "" ? walk.fault : judgePoint(raw, pointHome, index);
    if (judged === "other") walk.otherPoints++;
    else if (typeof judged === "string") walk.rejected.push({ index, reason: judged });
    else walk.points.push(judged);
  });
}

/** Reads the data point that ends at `reader.len`; `walk.fault` says where it is not sound. */
function readPoint(walk: Walk, tags: PointTags): RawPoint {
  const { reader, limits } = walk;
  const isNumber = tags === numberTags;
  const attributes: Record<string, AttributeValue> = {};
  let attributeCount = 0;
  let startUs = 0;
  let timeUs = 0;
  let value: number | undefined;
  let count = 0;
  let flags = 0;
  while (reader.pos < reader.len && walk.fault === "") {
    const tag = reader.tag();
    if (tag === tags.attributes) {
      if (++attributeCount > limits.attributesPerSpanMax) walk.fault = refusals.attributes(limits);
      else readAttribute(walk, attributes);
    } else if (tag === tags.flags) flags = reader.uint32();
    else if (tag === 0x11) startUs = readUnixMicros(walk);
    else if (tag === 0x19) timeUs = readUnixMicros(walk);
    else if (tag === 0x21 && isNumber) value = reader.double();
    else if (tag === 0x21) count = reader.fixed32() + reader.fixed32() * 2 ** 32;
    else if (tag === 0x29 && !isNumber) value = reader.double();
    else if (tag === 0x31 && isNumber) value = reader.fixed32() + reader.sfixed32() * 2 ** 32;
    else skip(walk, tag);
  }
  return { attributes, startUs, timeUs, value, count: isNumber ? null : count, flags };
}
