/** Entries of the spans log as bytes: one export request's kept spans. */

import { CorruptEntry } from "../event-log/unreadable-entry.ts";
import type { Attributes, AttributeValue, Span } from "../model/span.ts";
import { type EntryReader, EntryWriter, readWhole } from "./entry-bytes.ts";

/** One export request's kept spans. */
export interface SpansEntry {
  /** Unix milliseconds when the request was accepted. */
  readonly arrivedAtMs: number;
  readonly spans: readonly Span[];
}

const version = 2;
/** Kinds of attribute values. */
const kind = { text: 0, integer: 1, double: 2, false: 3, true: 4, list: 5 } as const;
/** What a span takes at most beside its attributes. */
const spanBytesMax = 128;
/** What an attribute takes at most: key, kind and number; its text stands in the table. */
const attributeBytesMax = 20;

const writer = new EntryWriter();

/** An entry as it is written into the log. Equal entries give equal bytes. */
export function encodeSpansEntry({ arrivedAtMs, spans }: SpansEntry): Uint8Array<ArrayBuffer> {
  writer.begin(version, arrivedAtMs);
  writer.count(spans.length);
  let resource: Attributes | undefined;
  for (const span of spans) {
    writer.reserve(spanBytesMax);
    writer.hex(span.traceId, 16);
    writer.hex(span.spanId, 8);
    // Spans of one resource share one object, and stand together.
    const newResource = span.resource !== resource;
    writer.byte((span.parentSpanId === "" ? 0 : 1) | (span.status === "error" ? 2 : 0) | (newResource ? 4 : 0));
    if (span.parentSpanId !== "") writer.hex(span.parentSpanId, 8);
    writer.text(span.name, 0);
    writer.text(span.scope, 1);
    writer.count(span.startUs);
    writer.count(span.endUs);
    if (newResource) writeAttributes(span.resource);
    resource = span.resource;
    writeAttributes(span.attributes);
  }
  return writer.end();
}

function writeAttributes(attributes: Attributes): void {
  const keys = Object.keys(attributes);
  writer.reserve(attributeBytesMax);
  writer.count(keys.length);
  let place = 2;
  for (const key of keys) {
    writer.reserve(attributeBytesMax);
    writer.text(key, place);
    writeValue(attributes[key] as AttributeValue, place + 1);
    place += 2;
  }
}

function writeValue(value: AttributeValue, place: number): void {
  if (typeof value === "string") {
    writer.byte(kind.text);
    writer.text(value, place);
  } else if (typeof value === "number") writeNumber(value);
  else if (typeof value === "boolean") writer.byte(value ? kind.true : kind.false);
  else {
    writer.byte(kind.list);
    writer.count(value.length);
    for (const element of value) {
      writer.reserve(attributeBytesMax);
      writeValue(element, place);
    }
  }
}

/** A negative zero is no integer here: it shall come back as it was. */
function writeNumber(value: number): void {
  if (Number.isInteger(value) && Math.abs(value) < 2 ** 52 && !Object.is(value, -0)) {
    writer.byte(kind.integer);
    writer.signed(value);
  } else {
    writer.byte(kind.double);
    writer.double(value);
  }
}

/** An entry of the spans log. @throws OtherVersionEntry, CorruptEntry. */
export function decodeSpansEntry(payload: Uint8Array): SpansEntry {
  return readWhole(payload, { oldest: version, newest: version }, "spans", (reader, arrivedAtMs) => ({
    arrivedAtMs,
    spans: readSpans(reader),
  }));
}

function readSpans(reader: EntryReader): readonly Span[] {
  const spans = new Array<Span>(reader.length());
  let resource: Attributes = {};
  for (let index = 0; index < spans.length; index++) {
    const traceId = reader.hex(16);
    const spanId = reader.hex(8);
    const bits = reader.byte();
    const parentSpanId = (bits & 1) === 0 ? "" : reader.hex(8);
    const name = reader.text();
    const scope = reader.text();
    const startUs = reader.count();
    const endUs = reader.count();
    if ((bits & 4) !== 0) resource = readAttributes(reader);
    const status = (bits & 2) === 0 ? "ok" : "error";
    const attributes = readAttributes(reader);
    spans[index] = { traceId, spanId, parentSpanId, name, scope, startUs, endUs, status, attributes, resource };
  }
  return spans;
}

function readAttributes(reader: EntryReader): Attributes {
  const attributes: Record<string, AttributeValue> = {};
  for (let left = reader.length(); left > 0; left--) {
    const key = reader.text();
    attributes[key] = readValue(reader);
  }
  return attributes;
}

function readValue(reader: EntryReader): AttributeValue {
  switch (reader.byte()) {
    case kind.text:
      return reader.text();
    case kind.integer:
      return reader.signed();
    case kind.double:
      return reader.double();
    case kind.false:
      return false;
    case kind.true:
      return true;
    case kind.list:
      return readList(reader);
    default:
      throw new CorruptEntry("a value of no known kind");
  }
}

/** Element by element: a length that is wrong claims no memory. */
function readList(reader: EntryReader): AttributeValue {
  const list: AttributeValue[] = [];
  for (let left = reader.length(); left > 0; left--) list.push(readValue(reader));
  return list;
}
