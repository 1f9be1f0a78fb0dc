/** The slow and plain reading of OTLP metrics that tests hold the decoders against. Test support. */

import protobuf from "protobufjs";
import { type OtlpAttribute, plainAttributes } from "../otlp-oracle.ts";
import type { MetricPoint } from "./decoded-metrics.ts";

/** The metrics part of opentelemetry-proto v1.8 with all fields, in one package for brevity: names are not on the wire. */
const schema = `
syntax = "proto3";
package otlp;
message ExportMetricsServiceRequest { repeated ResourceMetrics resource_metrics = 1; }
message ExportMetricsServiceResponse { Partial partial_success = 1; }
message Partial { int64 rejected_data_points = 1; string error_message = 2; }
message ResourceMetrics { Resource resource = 1; repeated ScopeMetrics scope_metrics = 2; string schema_url = 3; }
message ScopeMetrics { InstrumentationScope scope = 1; repeated Metric metrics = 2; string schema_url = 3; }
message Resource { repeated KeyValue attributes = 1; uint32 dropped_attributes_count = 2; }
message InstrumentationScope { string name = 1; string version = 2; repeated KeyValue attributes = 3; }
message KeyValue { string key = 1; AnyValue value = 2; }
message KeyValueList { repeated KeyValue values = 1; }
message ArrayValue { repeated AnyValue values = 1; }
message AnyValue {
  oneof value {
    string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4;
    ArrayValue array_value = 5; KeyValueList kvlist_value = 6; bytes bytes_value = 7;
  }
}
message Metric {
  string name = 1; string description = 2; string unit = 3;
  oneof data { Gauge gauge = 5; Sum sum = 7; Histogram histogram = 9; ExponentialHistogram exponential_histogram = 10; Summary summary = 11; }
  repeated KeyValue metadata = 12;
}
message Gauge { repeated NumberDataPoint data_points = 1; }
message Sum { repeated NumberDataPoint data_points = 1; int32 aggregation_temporality = 2; bool is_monotonic = 3; }
message Histogram { repeated HistogramDataPoint data_points = 1; int32 aggregation_temporality = 2; }
message ExponentialHistogram { repeated ExponentialHistogramDataPoint data_points = 1; int32 aggregation_temporality = 2; }
message Summary { repeated SummaryDataPoint data_points = 1; }
message NumberDataPoint {
  repeated KeyValue attributes = 7; fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3;
  oneof value { double as_double = 4; sfixed64 as_int = 6; }
  repeated Exemplar exemplars = 5; uint32 flags = 8;
}
message HistogramDataPoint {
  repeated KeyValue attributes = 9; fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3; fixed64 count = 4;
  optional double sum = 5; repeated fixed64 bucket_counts = 6; repeated double explicit_bounds = 7;
  repeated Exemplar exemplars = 8; uint32 flags = 10; optional double min = 11; optional double max = 12;
}
message ExponentialHistogramDataPoint {
  repeated KeyValue attributes = 1; fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3; fixed64 count = 4;
  optional double sum = 5; sint32 scale = 6; fixed64 zero_count = 7; Buckets positive = 8; Buckets negative = 9;
  uint32 flags = 10; repeated Exemplar exemplars = 11; optional double min = 12; optional double max = 13; double zero_threshold = 14;
}
message Buckets { sint32 offset = 1; repeated uint64 bucket_counts = 2; }
message SummaryDataPoint { repeated KeyValue attributes = 7; fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3; fixed64 count = 4; double sum = 5; }
message Exemplar { fixed64 time_unix_nano = 2; double as_double = 3; bytes span_id = 4; bytes trace_id = 5; repeated KeyValue filtered_attributes = 7; }
`;

const root = protobuf.parse(schema).root;
const request = root.lookupType("otlp.ExportMetricsServiceRequest");

/** A metric in OTLP/JSON; whatever else it holds goes along. */
export interface OtlpMetric {
  readonly [field: string]: unknown;
  readonly name?: string;
  readonly unit?: string;
}

/** A data point in OTLP/JSON. */
export interface OtlpPoint {
  readonly [field: string]: unknown;
  readonly attributes?: readonly OtlpAttribute[];
  readonly startTimeUnixNano?: string;
  readonly timeUnixNano?: string;
  readonly asDouble?: number;
  readonly asInt?: string;
  readonly count?: string;
  readonly sum?: number;
  readonly flags?: number;
}

/** An export request of metrics in OTLP/JSON. */
export interface OtlpMetricsRequest {
  readonly resourceMetrics?: readonly {
    readonly resource?: { readonly attributes?: readonly OtlpAttribute[] };
    readonly scopeMetrics?: readonly {
      readonly scope?: { readonly name?: string; readonly version?: string };
      readonly metrics?: readonly OtlpMetric[];
    }[];
  }[];
}

/** The protobuf encoding of an OTLP/JSON request, by protobufjs reflection. */
export function encodeMetricsOracle(json: OtlpMetricsRequest): Buffer {
  return Buffer.from(request.encode(request.fromObject({ ...json })).finish());
}

interface OtlpData {
  readonly dataPoints?: readonly OtlpPoint[];
  readonly aggregationTemporality?: number;
  readonly isMonotonic?: boolean;
}

/** Sound points of the wanted metrics in a sound protobuf request, and how many other data points it holds. */
export function oraclePoints(body: Uint8Array, wanted: ReadonlySet<string>): { points: MetricPoint[]; others: number } {
  const options = { longs: String, bytes: String, defaults: false, oneofs: false };
  const decoded = request.toObject(request.decode(body), options) as OtlpMetricsRequest;
  const points: MetricPoint[] = [];
  let others = 0;
  let index = 0;
  for (const { resource, scopeMetrics = [] } of decoded.resourceMetrics ?? []) {
    for (const { scope, metrics = [] } of scopeMetrics) {
      for (const metric of metrics) {
        const { name = "", unit = "" } = metric;
        const kinds = ["gauge", "sum", "histogram", "exponentialHistogram", "summary"];
        const kindName = kinds.find((each) => metric[each] !== undefined);
        const data = (kindName === undefined ? {} : metric[kindName]) as OtlpData;
        for (const point of data.dataPoints ?? []) {
          const at = index++;
          if (!wanted.has(`${name} ${kindName}`) || point.flags === 1) {
            others++;
            continue;
          }
          const number = kindName === "gauge" || kindName === "sum";
          const value = number ? (point.asDouble ?? point.asInt) : point.sum;
          if (number && (value === undefined || Number.isNaN(Number(value)))) {
            others++;
            continue;
          }
          const { name: scopeName = "", version = "" } = scope ?? {};
          points.push({
            index: at,
            name,
            unit,
            kind: oracleKind(kindName, data),
            scope: version === "" ? scopeName : `${scopeName}@${version}`,
            resource: plainAttributes(resource?.attributes, () => true),
            attributes: plainAttributes(point.attributes, () => true),
            startUs: Number(BigInt(point.startTimeUnixNano ?? "0") / 1000n),
            timeUs: Number(BigInt(point.timeUnixNano ?? "0") / 1000n),
            value: Number(value),
            count: number ? null : Number(point.count ?? "0"),
          });
        }
      }
    }
  }
  return { points, others };
}

function oracleKind(kindName: string | undefined, data: OtlpData): MetricPoint["kind"] {
  if (kindName === "gauge") return "gauge";
  if (data.aggregationTemporality === 1) return "delta";
  return kindName === "sum" && data.isMonotonic !== true ? "gauge" : "cumulative";
}
