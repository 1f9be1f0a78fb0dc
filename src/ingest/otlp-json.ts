/** OTLP/JSON trace exports: parsed, then walked. A wrong type in one span costs that span, elsewhere the request. */

import type { Attributes, Span } from "../model/span.ts";
import {
  type DecodedExport,
  type DecodeLimits,
  MalformedExportError,
  type RejectedSpan,
  type SpanFilter,
} from "./decoded-export.ts";
import { memoOf } from "./otlp-filter-memo.ts";
import { isObject, type JsonObject, kindOf, parseJson } from "./otlp-json-shape.ts";
import { cutText, type JsonCursor, misfit, readAttributes } from "./otlp-json-values.ts";
import { checkCount, isUnixMicros, refusals } from "./otlp-refusals.ts";

interface Walk extends JsonCursor {
  readonly spans: Span[];
  readonly rejected: RejectedSpan[];
  otherSpans: number;
  /** Spans met so far, which is also the position of the next one. */
  spanCount: number;
  containerCount: number;
}

interface Home {
  readonly scope: string;
  readonly resource: Attributes;
  /** Why no span of this resource can be kept, or empty. */
  readonly fault: string;
}

/**
 * Decodes an `ExportTraceServiceRequest` in OTLP/JSON
 * (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding): lowerCamelCase names only, ids in hex of any case,
 * 64-bit integers as string or number, null as absent, unknown names ignored; enum names are accepted although the
 * specification forbids to send them. The result equals that of `decodeProtobufExport` for the same request. Fields that
 * no usage record needs (events, links, kind, values of dropped attributes) are not looked into. Times sent as JSON
 * numbers have the precision of a double (256 ns today).
 * @throws MalformedExportError when the text is no JSON, or a request, resource or scope has a wrong type, with its path.
 */
export function decodeJsonExport(body: Uint8Array, limits: DecodeLimits, filter: SpanFilter): DecodedExport {
  const buffer = Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const request = objectAt(parseJson(buffer, limits.depthMax), "the request");
  const walk: Walk = {
    limits,
    memo: memoOf(filter),
    room: 0,
    fault: "",
    limited: false,
    spans: [],
    rejected: [],
    otherSpans: 0,
    spanCount: 0,
    containerCount: 0,
  };
  const list = listAt(request["resourceSpans"], "resourceSpans");
  for (let i = 0; i < list.length; i++) readResourceSpans(walk, list[i], `resourceSpans[${i}]`);
  return { spans: walk.spans, otherSpans: walk.otherSpans, rejected: walk.rejected };
}

/** @throws MalformedExportError for what is no object. */
export function objectAt(value: unknown, path: string): JsonObject {
  if (isObject(value)) return value;
  throw new MalformedExportError(`${path}: expected an object, got ${kindOf(value)}`);
}

/** The list, empty where it is absent. @throws MalformedExportError for what is no list. */
export function listAt(value: unknown, path: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value;
  throw new MalformedExportError(`${path}: expected an array, got ${kindOf(value)}`);
}

function readResourceSpans(walk: Walk, json: unknown, path: string): void {
  checkCount(++walk.containerCount, "resources and scopes", walk.limits);
  const resourceSpans = objectAt(json, path);
  const resource = objectAt(resourceSpans["resource"] ?? {}, `${path}.resource`);
  sound(walk);
  const attributesPath = `${path}.resource.attributes`;
  const attributes = readAttributes(walk, resource["attributes"], attributesPath, refusals.resource(walk.limits));
  if (walk.fault !== "" && !walk.limited) throw new MalformedExportError(walk.fault);
  const fault = walk.fault;
  const list = listAt(resourceSpans["scopeSpans"], `${path}.scopeSpans`);
  for (let i = 0; i < list.length; i++) {
    checkCount(++walk.containerCount, "resources and scopes", walk.limits);
    const scopePath = `${path}.scopeSpans[${i}]`;
    const scopeSpans = objectAt(list[i], scopePath);
    const scope = readScope(walk, scopeSpans["scope"] ?? {}, `${scopePath}.scope`);
    const home = { scope, resource: attributes, fault };
    for (const span of listAt(scopeSpans["spans"], `${scopePath}.spans`)) takeSpan(walk, span, home);
  }
}

/** A scope as `name@version`. @throws MalformedExportError for wrong types. */
export function readScope(walk: JsonCursor, json: unknown, path: string): string {
  const scope = objectAt(json, path);
  sound(walk);
  const name = readText(walk, scope["name"], `${path}.name`);
  const version = readText(walk, scope["version"], `${path}.version`);
  if (walk.fault !== "") throw new MalformedExportError(walk.fault);
  return version === "" ? name : `${name}@${version}`;
}

/** Forgets the fault of the item before. */
export function sound(walk: JsonCursor): void {
  walk.fault = "";
  walk.limited = false;
}

function takeSpan(walk: Walk, json: unknown, home: Home): void {
  const index = walk.spanCount++;
  checkCount(walk.spanCount, "spans", walk.limits);
  sound(walk);
  walk.fault = index < walk.limits.spansMax ? home.fault : refusals.surplus(walk.limits);
  const span = walk.fault === "" ? readSpan(walk, json, home) : undefined;
  if (span === undefined) walk.rejected.push({ index, reason: walk.fault });
  else if (walk.memo.keepsSpan(span)) walk.spans.push(span);
  else walk.otherSpans++;
}

/** Reads one span; undefined with `walk.fault` set, paths relative to the span, where it is not sound. */
function readSpan(walk: Walk, json: unknown, home: Home): Span | undefined {
  if (!isObject(json)) return misfit(walk, "span", "an object", json);
  const span: Span = {
    traceId: readId(walk, json["traceId"], "traceId", traceIdPattern, refusals.traceId),
    spanId: readId(walk, json["spanId"], "spanId", spanIdPattern, refusals.spanId),
    parentSpanId: readParentId(walk, json["parentSpanId"]),
    name: readText(walk, json["name"], "name"),
    scope: home.scope,
    startUs: readUnixMicros(walk, json["startTimeUnixNano"], "startTimeUnixNano"),
    endUs: readUnixMicros(walk, json["endTimeUnixNano"], "endTimeUnixNano"),
    status: readStatus(walk, json["status"]),
    attributes: readAttributes(walk, json["attributes"], "attributes", refusals.attributes(walk.limits)),
    resource: home.resource,
  };
  return walk.fault === "" ? span : undefined;
}

const traceIdPattern = /^(?!0+$)[0-9a-f]{32}$/i;
const spanIdPattern = /^(?!0+$)[0-9a-f]{16}$/i;

function readId(walk: Walk, value: unknown, field: string, pattern: RegExp, refusal: string): string {
  const text = value ?? "";
  if (typeof text !== "string") misfit(walk, field, "a hex string", text);
  else if (pattern.test(text)) return text.toLowerCase();
  else walk.fault ||= `${refusal}, in hex`;
  return "";
}

function readParentId(walk: Walk, value: unknown): string {
  if (value === undefined || value === null || value === "" || value === "0000000000000000") return "";
  return readId(walk, value, "parentSpanId", spanIdPattern, refusals.parentSpanId);
}

/** A text, cut to the limit; a wrong type is noted under `path`. */
export function readText(walk: JsonCursor, value: unknown, path: string): string {
  if (value === undefined || value === null) return "";
  walk.room = walk.limits.attributeBytesMax;
  return typeof value === "string" ? cutText(walk, value) : (misfit(walk, path, "a string", value) ?? "");
}

/** Unix nanoseconds as whole microseconds: of a decimal string the last three digits are dropped, which is exact. */
export function readUnixMicros(walk: JsonCursor, value: unknown, field: string): number {
  if (value === undefined || value === null) return 0;
  let micros = -1;
  if (typeof value === "string" && /^\d{1,20}$/.test(value)) micros = Number(value.slice(0, -3));
  else if (typeof value === "number" && Number.isInteger(value) && value >= 0) micros = Number(BigInt(value) / 1000n);
  else misfit(walk, field, "a decimal string", value);
  if (!isUnixMicros(micros)) walk.fault ||= refusals.time;
  return micros;
}

function readStatus(walk: Walk, value: unknown): Span["status"] {
  if (value === undefined || value === null) return "ok";
  if (!isObject(value)) {
    misfit(walk, "status", "an object", value);
    return "ok";
  }
  const code = value["code"] ?? 0;
  if (code === 2 || code === "STATUS_CODE_ERROR") return "error";
  if (typeof code !== "number" && code !== "STATUS_CODE_OK" && code !== "STATUS_CODE_UNSET")
    misfit(walk, "status.code", "an integer", code);
  return "ok";
}
