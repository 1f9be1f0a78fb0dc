/** Attributes of the OTLP/JSON encoding. */

import type { AttributeValue } from "../model/span.ts";
import type { DecodeLimits } from "./decoded-export.ts";
import type { FilterMemo } from "./otlp-filter-memo.ts";
import { isObject, kindOf } from "./otlp-json-shape.ts";
import { characterStart, exactInteger, keepValue, roomFor } from "./otlp-protobuf-values.ts";
import { elementBytes, refusals } from "./otlp-refusals.ts";

/** What is being read. Faults are kept as text: they end a span, or for a resource the request, and never throw here. */
export interface JsonCursor {
  readonly limits: DecodeLimits;
  readonly memo: FilterMemo;
  /** Bytes the attribute value being read may still take. */
  room: number;
  /** The first wrong type met, as `path: expected x, got y`, or limit passed; empty while all is sound. */
  fault: string;
  /** True when the fault is a passed limit rather than a wrong type. */
  limited: boolean;
}

/** Notes a wrong type. The message names types only: values may be prompts. */
export function misfit(cursor: JsonCursor, path: string, expected: string, value: unknown): undefined {
  const got = typeof value === "string" && expected.includes("string") ? "other text" : kindOf(value);
  cursor.fault ||= `${path}: expected ${expected}, got ${got}`;
  return undefined;
}

function overLimit(cursor: JsonCursor, reason: string): undefined {
  cursor.limited ||= cursor.fault === "";
  cursor.fault ||= reason;
  return undefined;
}

/** Reads a list of KeyValue; the kept ones end up in the result. Faults are noted under `path`. */
export function readAttributes(
  cursor: JsonCursor,
  list: unknown,
  path: string,
  tooMany: string,
): Record<string, AttributeValue> {
  const attributes: Record<string, AttributeValue> = {};
  if (list === undefined || list === null) return attributes;
  if (!Array.isArray(list)) {
    misfit(cursor, path, "an array", list);
    return attributes;
  }
  if (list.length > cursor.limits.attributesPerSpanMax) {
    overLimit(cursor, tooMany);
    return attributes;
  }
  for (let i = 0; i < list.length && cursor.fault === ""; i++) {
    const pair: unknown = list[i];
    if (!isObject(pair)) {
      misfit(cursor, `${path}[${i}]`, "an object", pair);
      break;
    }
    const key = pair["key"] ?? "";
    if (typeof key !== "string") {
      misfit(cursor, `${path}[${i}].key`, "a string", key);
      break;
    }
    const value = pair["value"] ?? undefined;
    if (value !== undefined && !isObject(value)) {
      misfit(cursor, `${path}[${i}].value`, "an object", value);
      break;
    }
    const kept = cursor.memo.keyOfText(key);
    if (kept === null || value === undefined) continue;
    cursor.room = roomFor(kept, cursor.limits);
    const read = readValue(cursor, value, 1);
    if (cursor.fault !== "") prefix(cursor, `${path}[${i}].value`);
    else if (read !== undefined) keepValue(attributes, kept, read);
  }
  return attributes;
}

function prefix(cursor: JsonCursor, path: string): void {
  if (!cursor.limited) cursor.fault = path + cursor.fault;
}

/** Reads one AnyValue; undefined where it is empty, bytes or a list of pairs. Faults begin with `.` or `[`. */
function readValue(cursor: JsonCursor, json: unknown, depth: number): AttributeValue | undefined {
  if (!isObject(json)) return json === null ? undefined : misfit(cursor, "", "an object", json);
  const text = json["stringValue"] ?? undefined;
  if (text !== undefined) {
    if (typeof text !== "string") return misfit(cursor, ".stringValue", "a string", text);
    const kept = cutText(cursor, text);
    // Only the elements of an array share their room.
    if (depth > 1) cursor.room -= Buffer.byteLength(kept);
    return kept;
  }
  const truth = json["boolValue"] ?? undefined;
  if (truth !== undefined) return typeof truth === "boolean" ? truth : misfit(cursor, ".boolValue", "a boolean", truth);
  const integer = json["intValue"] ?? undefined;
  if (integer !== undefined)
    return readInt64(integer) ?? misfit(cursor, ".intValue", "an int64 as a decimal string", integer);
  const double = json["doubleValue"] ?? undefined;
  if (double !== undefined) return readDouble(double) ?? misfit(cursor, ".doubleValue", "a number", double);
  const array = json["arrayValue"] ?? undefined;
  if (array !== undefined) return readArray(cursor, array, depth);
  return undefined;
}

function readArray(cursor: JsonCursor, json: unknown, depth: number): readonly AttributeValue[] | undefined {
  if (!isObject(json)) return misfit(cursor, ".arrayValue", "an object", json);
  if (depth >= cursor.limits.depthMax) return overLimit(cursor, refusals.depth(cursor.limits));
  const list = json["values"] ?? [];
  if (!Array.isArray(list)) return misfit(cursor, ".arrayValue.values", "an array", list);
  const values: AttributeValue[] = [];
  for (let i = 0; i < list.length; i++) {
    cursor.room -= elementBytes;
    if (cursor.room < 0) break;
    const value = readValue(cursor, list[i], depth + 1);
    if (cursor.fault !== "") {
      prefix(cursor, `.arrayValue.values[${i}]`);
      return undefined;
    }
    if (value !== undefined) values.push(value);
  }
  return values;
}

/** Cuts a string to `cursor.room` bytes of UTF-8, at a character's boundary; lone surrogates become U+FFFD. */
export function cutText(cursor: JsonCursor, text: string): string {
  const wellFormed = text.toWellFormed();
  // A UTF-16 unit takes at most three bytes: most texts fit without being measured.
  if (wellFormed.length * 3 <= cursor.room || Buffer.byteLength(wellFormed) <= cursor.room) return wellFormed;
  const buffer = Buffer.from(wellFormed);
  return buffer.toString("utf8", 0, characterStart(buffer, 0, cursor.room));
}

/** An int64 as the proto3 JSON mapping allows it: decimal string or number. A number beyond 2^53 is what JSON made of it. */
function readInt64(value: unknown): number | string | undefined {
  if (typeof value === "number") {
    if (Number.isSafeInteger(value)) return value === 0 ? 0 : value;
    return Number.isInteger(value) && Math.abs(value) <= 2 ** 63 ? exactInt64(BigInt(value)) : undefined;
  }
  if (typeof value !== "string" || !/^-?\d{1,19}$/.test(value)) return undefined;
  // Fifteen digits are exact as a number; adding 0 makes -0 an ordinary zero.
  if (value.length <= 15) return Number(value) + 0;
  return exactInt64(BigInt(value));
}

function exactInt64(value: bigint): number | string | undefined {
  return BigInt.asIntN(64, value) === value ? exactInteger(value) : undefined;
}

/** A double as the proto3 JSON mapping allows it: number, numeric string, or one of three names. */
export function readDouble(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  if (value === "NaN") return Number.NaN;
  if (value === "Infinity" || value === "-Infinity") return Number(value);
  return typeof value === "string" && /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(value) ? Number(value) : undefined;
}
