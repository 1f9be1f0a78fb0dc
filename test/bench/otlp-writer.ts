/** OTLP/JSON requests to protobuf over protobufjs' minimal Writer: an exporter's encoding, cheap enough for many bodies. */

import protobuf from "protobufjs/minimal.js";
import type { OtlpAny, OtlpAttribute, OtlpRequest, OtlpSpan } from "../../src/ingest/otlp-oracle.ts";

type Writer = protobuf.Writer;

/** Wire types of protobuf: what a field's tag says about its bytes. */
const [varint, fixed64, bytes, fixed32] = [0, 1, 2, 5];

/** Encodes what `payload.ts` makes; links, events and key-value lists are not written. */
export function encodeProtobufRequest({ resourceSpans = [] }: OtlpRequest): Uint8Array {
  const writer = protobuf.Writer.create();
  for (const { resource, scopeSpans = [] } of resourceSpans) {
    message(writer, 1, () => {
      message(writer, 1, () => attributes(writer, 1, resource?.attributes));
      for (const { scope, spans = [] } of scopeSpans) {
        message(writer, 2, () => {
          message(writer, 1, () => {
            text(writer, 1, scope?.name);
            text(writer, 2, scope?.version);
          });
          for (const span of spans) message(writer, 2, () => spanFields(writer, span));
        });
      }
    });
  }
  return writer.finish();
}

function spanFields(writer: Writer, span: OtlpSpan): void {
  binary(writer, 1, span.traceId);
  binary(writer, 2, span.spanId);
  binary(writer, 4, span.parentSpanId);
  text(writer, 5, span.name);
  tag(writer, 6, varint).int32(Number(span["kind"] ?? 0));
  nanos(writer, 7, span.startTimeUnixNano);
  nanos(writer, 8, span.endTimeUnixNano);
  attributes(writer, 9, span.attributes);
  message(writer, 15, () => {
    if (span.status?.code !== undefined) tag(writer, 3, varint).int32(span.status.code);
  });
  tag(writer, 16, fixed32).fixed32(Number(span["flags"] ?? 0));
}

function attributes(writer: Writer, field: number, list: readonly OtlpAttribute[] = []): void {
  for (const { key, value } of list) {
    message(writer, field, () => {
      text(writer, 1, key);
      if (value !== undefined) message(writer, 2, () => anyValue(writer, value));
    });
  }
}

function anyValue(writer: Writer, value: OtlpAny): void {
  const { stringValue, boolValue, intValue, doubleValue, arrayValue } = value;
  if (stringValue !== undefined) tag(writer, 1, bytes).string(stringValue);
  else if (boolValue !== undefined) tag(writer, 2, varint).bool(boolValue);
  else if (intValue !== undefined) tag(writer, 3, varint).int64(Number(intValue));
  else if (doubleValue !== undefined) tag(writer, 4, fixed64).double(doubleValue);
  else if (arrayValue !== undefined) {
    message(writer, 5, () => {
      for (const each of arrayValue.values ?? []) message(writer, 1, () => anyValue(writer, each));
    });
  }
}

function message(writer: Writer, field: number, fill: () => void): void {
  tag(writer, field, bytes).fork();
  fill();
  writer.ldelim();
}

function text(writer: Writer, field: number, value: string | undefined): void {
  if (value !== undefined) tag(writer, field, bytes).string(value);
}

function binary(writer: Writer, field: number, hexDigits: string | undefined): void {
  if (hexDigits !== undefined) tag(writer, field, bytes).bytes(Buffer.from(hexDigits, "hex"));
}

function nanos(writer: Writer, field: number, value: string | undefined): void {
  if (value === undefined) return;
  const nano = BigInt(value);
  // Eight bytes, the low half first: past 2^53 a number would round.
  tag(writer, field, fixed64)
    .fixed32(Number(nano & 0xffff_ffffn))
    .fixed32(Number(nano >> 32n));
}

function tag(writer: Writer, field: number, wireType: number): Writer {
  return writer.uint32((field << 3) | wireType);
}
