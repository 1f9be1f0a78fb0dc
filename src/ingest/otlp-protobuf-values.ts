/** Attributes and scalar fields of the protobuf encoding, read at the cursor of a walk. */

import type protobuf from "protobufjs/minimal.js";
import type { AttributeValue } from "../model/span.ts";
import { type DecodeLimits, MalformedExportError } from "./decoded-export.ts";
import type { BodyBytes, FilterMemo, KeptKey } from "./otlp-filter-memo.ts";
import { elementBytes, refusals } from "./otlp-refusals.ts";

/** The cursor. `reader.len` is always the end of the message being read, so that the reader checks every nested end. */
export interface Cursor extends BodyBytes {
  readonly reader: protobuf.Reader;
  readonly limits: DecodeLimits;
  readonly memo: FilterMemo;
  /** Group depth at which skipping begins, so that the reader gives up after `depthMax` more. */
  readonly skipDepth: number;
  /** Bytes the attribute value being read may still take. */
  room: number;
  /** Why the span or resource being read cannot be kept; empty while it is sound. */
  fault: string;
}

/**
 * Goes into a length-delimited message and returns the end of the outer one, to be restored into `reader.len`.
 * @throws MalformedExportError when the message claims to end after the one that holds it.
 */
export function enter(reader: protobuf.Reader, what: string): number {
  const outer = reader.len;
  const at = reader.pos;
  const size = reader.size();
  if (reader.pos + size > outer) throw tooLong(what, at, size, outer - reader.pos);
  reader.len = reader.pos + size;
  return outer;
}

function tooLong(what: string, at: number, size: number, left: number): MalformedExportError {
  return new MalformedExportError(
    `expected ${what} of ${size} bytes at byte ${at}, but only ${left} bytes are left of what holds it`,
  );
}

/** Passes over a field nobody reads, groups included. */
export function skip(cursor: Cursor, tag: number): void {
  const { reader } = cursor;
  if ((tag & 7) === 2 && tag > 7) {
    const outer = enter(reader, "a field");
    reader.pos = reader.len;
    reader.len = outer;
  } else reader.skipType(tag & 7, cursor.skipDepth, tag >>> 3);
}

/** Reads one KeyValue (https://github.com/open-telemetry/opentelemetry-proto common.proto) into `attributes`. */
export function readAttribute(cursor: Cursor, attributes: Record<string, AttributeValue>): void {
  const { reader } = cursor;
  const outer = enter(reader, "an attribute");
  const end = reader.len;
  let key: KeptKey | null = null;
  let valueAt = -1;
  while (reader.pos < end) {
    const tag = reader.tag();
    if (tag === 0x0a) {
      const keyOuter = enter(reader, "an attribute key");
      key = cursor.memo.keyOfBytes(cursor, reader.pos, reader.len);
      // Nothing more is read of a dropped attribute: prompts stay bytes.
      reader.pos = key === null ? end : reader.len;
      reader.len = keyOuter;
    } else {
      if (tag === 0x12) valueAt = reader.pos;
      skip(cursor, tag);
    }
  }
  if (key !== null && valueAt >= 0) {
    reader.pos = valueAt;
    cursor.room = roomFor(key, cursor.limits);
    const value = readValue(cursor, 1);
    if (value !== undefined) keepValue(attributes, key, value);
    reader.pos = end;
  }
  reader.len = outer;
}

/** Bytes that a value of this key may take. */
export function roomFor(key: KeptKey, limits: DecodeLimits): number {
  return key.reduce === undefined ? limits.attributeBytesMax : limits.reducedBytesMax;
}

/** Keeps a value, or what its key allows of it. */
export function keepValue(attributes: Record<string, AttributeValue>, key: KeptKey, value: AttributeValue): void {
  if (key.reduce === undefined || typeof value === "number") attributes[key.name] = value;
  else Object.assign(attributes, key.reduce(key.name, value));
}

/** Reads one AnyValue; undefined where it is empty, bytes or a list of pairs. The last of several values counts. */
function readValue(cursor: Cursor, depth: number): AttributeValue | undefined {
  const { reader } = cursor;
  const outer = enter(reader, "an attribute value");
  let value: AttributeValue | undefined;
  while (reader.pos < reader.len) {
    const tag = reader.tag();
    switch (tag) {
      case 0x0a:
        value = readValueText(cursor);
        break;
      case 0x10:
        value = reader.bool();
        break;
      case 0x18:
        value = readInt64(reader);
        break;
      case 0x21:
        value = reader.double();
        break;
      case 0x2a:
        value = readArray(cursor, depth);
        break;
      default:
        if (tag === 0x32 || tag === 0x3a) value = undefined;
        skip(cursor, tag);
    }
  }
  reader.len = outer;
  return value;
}

function readArray(cursor: Cursor, depth: number): readonly AttributeValue[] {
  const { reader, limits } = cursor;
  const outer = enter(reader, "an array");
  const values: AttributeValue[] = [];
  if (depth >= limits.depthMax) {
    cursor.fault ||= refusals.depth(limits);
    reader.pos = reader.len;
  }
  while (reader.pos < reader.len) {
    const tag = reader.tag();
    if (tag !== 0x0a) {
      skip(cursor, tag);
      continue;
    }
    cursor.room -= elementBytes;
    if (cursor.room < 0) {
      reader.pos = reader.len;
      break;
    }
    const value = readValue(cursor, depth + 1);
    if (value !== undefined) values.push(value);
  }
  reader.len = outer;
  return values;
}

/** Like `readText`, of the attribute whose key was read last. */
function readValueText(cursor: Cursor): string {
  const { reader, memo } = cursor;
  const at = reader.pos;
  const size = reader.size();
  const end = reader.pos + size;
  if (size <= cursor.room && end <= reader.len) {
    cursor.room -= size;
    const text = memo.textOf(cursor, reader.pos, end);
    reader.pos = end;
    return text;
  }
  reader.pos = at;
  return readText(cursor, "a string");
}

/** Reads a string, cut to `cursor.room` bytes at a character's boundary. Invalid UTF-8 becomes U+FFFD. */
export function readText(cursor: Cursor, what: string): string {
  const { reader, buffer } = cursor;
  const at = reader.pos;
  const size = reader.size();
  const start = reader.pos;
  if (start + size > reader.len) throw tooLong(what, at, size, reader.len - start);
  if (size <= cursor.room) {
    cursor.room -= size;
    reader.pos = at;
    return reader.string();
  }
  const cut = characterStart(buffer, start, start + cursor.room);
  cursor.room = 0;
  reader.pos = start + size;
  return buffer.toString("utf8", start, cut);
}

/** The last position at or before `end` at which a UTF-8 character begins; a character has at most four bytes. */
export function characterStart(buffer: Buffer, start: number, end: number): number {
  for (let i = end; i > start && i > end - 4; i--) if (((buffer[i] ?? 0) & 0xc0) !== 0x80) return i;
  return end;
}

/** Reads a varint as int64: a number where that is exact, otherwise its decimal digits. */
function readInt64(reader: protobuf.Reader): number | string {
  let value = 0;
  let scale = 1;
  // Seven groups of seven bits stay below 2^53.
  for (let group = 0; group < 7; group++) {
    const byte = nextByte(reader);
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value;
    scale *= 128;
  }
  let bits = BigInt(value);
  for (let shift = 49n; shift <= 63n; shift += 7n) {
    const byte = nextByte(reader);
    bits |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return exactInteger(BigInt.asIntN(64, bits));
  }
  throw new MalformedExportError(`expected an integer of at most 10 bytes before byte ${reader.pos}`);
}

/** A number where it is exact, otherwise the decimal digits. */
export function exactInteger(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}

function nextByte(reader: protobuf.Reader): number {
  if (reader.pos >= reader.len) throw new MalformedExportError(`expected an integer to end before byte ${reader.pos}`);
  return reader.buf[reader.pos++] ?? 0;
}
