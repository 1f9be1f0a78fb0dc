/**
 * The slow and plain reading of OTLP that tests hold the decoders against: protobufjs with the whole schema. Test support:
 * nothing in the running collector imports it.
 */

import protobuf from "protobufjs";
import type { AttributeValue, Span } from "../model/span.ts";

/** The trace part of opentelemetry-proto v1.8 with all fields, in one package for brevity: names are not on the wire. */
const schema = `
syntax = "proto3";
package otlp;
message ExportTraceServiceRequest { repeated ResourceSpans resource_spans = 1; }
message ExportTraceServiceResponse { ExportTracePartialSuccess partial_success = 1; }
message ExportTracePartialSuccess { int64 rejected_spans = 1; string error_message = 2; }
message RpcStatus { int32 code = 1; string message = 2; repeated Any details = 3; }
message Any { string type_url = 1; bytes value = 2; }
message RetryInfo { Duration retry_delay = 1; }
message Duration { int64 seconds = 1; int32 nanos = 2; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; string schema_url = 3; }
message ScopeSpans { InstrumentationScope scope = 1; repeated Span spans = 2; string schema_url = 3; }
message Resource { repeated KeyValue attributes = 1; uint32 dropped_attributes_count = 2; repeated EntityRef entity_refs = 3; }
message EntityRef { string schema_url = 1; string type = 2; repeated string id_keys = 3; repeated string description_keys = 4; }
message InstrumentationScope { string name = 1; string version = 2; repeated KeyValue attributes = 3; uint32 dropped_attributes_count = 4; }
message KeyValue { string key = 1; AnyValue value = 2; int32 key_strindex = 3; }
message KeyValueList { repeated KeyValue values = 1; }
message ArrayValue { repeated AnyValue values = 1; }
message AnyValue {
  oneof value {
    string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4;
    ArrayValue array_value = 5; KeyValueList kvlist_value = 6; bytes bytes_value = 7; int32 string_value_strindex = 8;
  }
}
message Span {
  bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; fixed32 flags = 16;
  string name = 5; int32 kind = 6; fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8;
  repeated KeyValue attributes = 9; uint32 dropped_attributes_count = 10;
  repeated Event events = 11; uint32 dropped_events_count = 12;
  repeated Link links = 13; uint32 dropped_links_count = 14; Status status = 15;
}
message Event { fixed64 time_unix_nano = 1; string name = 2; repeated KeyValue attributes = 3; uint32 dropped_attributes_count = 4; }
message Link {
  bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; repeated KeyValue attributes = 4;
  uint32 dropped_attributes_count = 5; fixed32 flags = 6;
}
message Status { string message = 2; int32 code = 3; }
`;

const root = protobuf.parse(schema).root;

export interface OtlpAny {
  readonly stringValue?: string;
  readonly boolValue?: boolean;
  readonly intValue?: string;
  readonly doubleValue?: number;
  readonly arrayValue?: { readonly values?: readonly OtlpAny[] };
  readonly kvlistValue?: { readonly values?: readonly OtlpAttribute[] };
  /** Base64, as the JSON mapping has it. */
  readonly bytesValue?: string;
}

export interface OtlpAttribute {
  /** Absent where empty, once decoded. */
  readonly key?: string;
  readonly value?: OtlpAny;
}

/** A span in OTLP/JSON; whatever else it holds goes along. */
export interface OtlpSpan {
  readonly [field: string]: unknown;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name?: string;
  readonly startTimeUnixNano?: string;
  readonly endTimeUnixNano?: string;
  readonly attributes?: readonly OtlpAttribute[];
  readonly status?: { readonly code?: number; readonly message?: string };
  readonly links?: readonly { readonly [field: string]: unknown; readonly traceId: string; readonly spanId: string }[];
}

export interface OtlpScopeSpans {
  readonly [field: string]: unknown;
  readonly scope?: { readonly name?: string; readonly version?: string };
  readonly spans?: readonly OtlpSpan[];
}

export interface OtlpResourceSpans {
  readonly [field: string]: unknown;
  readonly resource?: { readonly [field: string]: unknown; readonly attributes?: readonly OtlpAttribute[] };
  readonly scopeSpans?: readonly OtlpScopeSpans[];
}

/** An export request in OTLP/JSON. */
export interface OtlpRequest {
  readonly resourceSpans?: readonly OtlpResourceSpans[];
}

/** The protobuf encoding of an OTLP/JSON request, by protobufjs reflection. */
export function encodeOracle(request: OtlpRequest): Uint8Array {
  const hex = (id: string | undefined) => (id === undefined ? undefined : Buffer.from(id, "hex"));
  const resourceSpans = (request.resourceSpans ?? []).map((resource) => ({
    ...resource,
    scopeSpans: (resource.scopeSpans ?? []).map((scope) => ({
      ...scope,
      spans: (scope.spans ?? []).map((span) => ({
        ...span,
        traceId: hex(span.traceId),
        spanId: hex(span.spanId),
        parentSpanId: hex(span.parentSpanId),
        links: (span.links ?? []).map((link) => ({ ...link, traceId: hex(link.traceId), spanId: hex(link.spanId) })),
      })),
    })),
  }));
  const type = root.lookupType("otlp.ExportTraceServiceRequest");
  return type.encode(type.fromObject({ resourceSpans })).finish();
}

/** Decodes any message of the schema into plain JSON-like data: 64-bit integers as strings, bytes as base64. */
export function decodeOracle(typeName: string, body: Uint8Array): Record<string, unknown> {
  const type = root.lookupType(`otlp.${typeName}`);
  return type.toObject(type.decode(body), { longs: String, bytes: String, defaults: false, oneofs: false });
}

/** Every span of a sound protobuf request as the collector's words have it, before any limit or filter of spans. */
export function oracleSpans(body: Uint8Array, keeps: (key: string) => boolean): Span[] {
  const request = decodeOracle("ExportTraceServiceRequest", body) as OtlpRequest;
  const spans: Span[] = [];
  for (const { resource, scopeSpans } of request.resourceSpans ?? []) {
    for (const { scope, spans: list } of scopeSpans ?? []) {
      const { name = "", version = "" } = scope ?? {};
      for (const span of list ?? []) {
        spans.push({
          traceId: Buffer.from(span.traceId, "base64").toString("hex"),
          spanId: Buffer.from(span.spanId, "base64").toString("hex"),
          parentSpanId: Buffer.from(span.parentSpanId ?? "", "base64").toString("hex"),
          name: span.name ?? "",
          scope: version === "" ? name : `${name}@${version}`,
          startUs: Number(BigInt(span.startTimeUnixNano ?? "0") / 1000n),
          endUs: Number(BigInt(span.endTimeUnixNano ?? "0") / 1000n),
          status: span.status?.code === 2 ? "error" : "ok",
          attributes: plainAttributes(span.attributes, keeps),
          resource: plainAttributes(resource?.attributes, keeps),
        });
      }
    }
  }
  return spans;
}

/** Attributes as the collector has them, of the keys that `keeps` names. */
export function plainAttributes(
  list: readonly OtlpAttribute[] | undefined,
  keeps: (key: string) => boolean,
): Record<string, AttributeValue> {
  const attributes: Record<string, AttributeValue> = {};
  for (const { key = "", value } of list ?? []) {
    const plain = keeps(key) ? plainValue(value) : undefined;
    if (plain !== undefined) attributes[key] = plain;
  }
  return attributes;
}

function plainValue(value: OtlpAny | undefined): AttributeValue | undefined {
  if (value?.stringValue !== undefined) return value.stringValue;
  if (value?.boolValue !== undefined) return value.boolValue;
  if (value?.intValue !== undefined)
    return Number.isSafeInteger(Number(value.intValue)) ? Number(value.intValue) : value.intValue;
  if (value?.doubleValue !== undefined) return value.doubleValue;
  if (value?.arrayValue === undefined) return undefined;
  return (value.arrayValue.values ?? []).map(plainValue).filter((plain) => plain !== undefined);
}
