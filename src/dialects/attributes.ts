/** Reading attribute values that producers typed in their own way. Never throws. */

import { attributionKeys, recordKeys, toolArgsHashKey } from "../../instrumentation/protocol.ts";
import type { Attributes, AttributeValue, Span } from "../model/span.ts";

/** Longest name kept of any dimension, in UTF-16 units; a longer one is cut. */
const nameLengthMax = 256;
/** More tokens than any one call can have: a producer's mistake. */
const tokensMax = 1_000_000_000;

/** A text value; numbers and booleans as text, "" for anything else. */
export function text(value: AttributeValue | undefined): string {
  if (typeof value === "string") return value.length > nameLengthMax ? value.slice(0, nameLengthMax) : value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return "";
}

/** The first of these keys that holds a text, or "". */
export function textOf(attributes: Attributes, keys: readonly string[]): string {
  for (const key of keys) {
    const value = attributes[key];
    if (value === undefined) continue;
    const found = text(value);
    if (found !== "") return found;
  }
  return "";
}

/** The first text of a list, or of a JSON list in a string, or the text itself: finish reasons come in all three. */
export function firstText(value: AttributeValue | undefined): string {
  if (Array.isArray(value)) return text(value[0]);
  const whole = text(value as AttributeValue | undefined);
  if (!whole.startsWith("[")) return whole;
  return /^\[\s*"([^"\\]*)"/.exec(whole)?.[1] ?? "";
}

/**
 * A token count, whatever type the producer gave it: number, decimal string, or a list of one of these.
 * @returns NaN where the value is no whole number from 0 to 1e9.
 */
export function tokenCount(value: AttributeValue): number {
  let number: AttributeValue | undefined = value;
  if (Array.isArray(value) && value.length === 1) number = value[0];
  if (typeof number === "string") number = /^\s*\d{1,16}(?:\.0*)?\s*$/.test(number) ? Number(number) : Number.NaN;
  if (typeof number !== "number" || !Number.isInteger(number)) return Number.NaN;
  return number >= 0 && number <= tokensMax ? number : Number.NaN;
}

/** Attribution keys that every dialect keeps. */
export const commonKeys: readonly string[] = [
  ...Object.values(attributionKeys),
  toolArgsHashKey,
  recordKeys.revision,
  recordKeys.attempt,
  recordKeys.partial,
  recordKeys.audioSeconds,
  recordKeys.promptHash,
  "error.type",
];

/** The first 16 digits of a hash in hex, as our own instrumentation has them; "" for anything else. */
export function hash64(value: AttributeValue | undefined): string {
  if (typeof value !== "string" || !/^[0-9a-f]{16,128}$/i.test(value)) return "";
  const digits = value.slice(0, 16).toLowerCase();
  return digits === "0000000000000000" ? "" : digits;
}

const revisionMax = 65_535;

/** Which version of itself a span is: 0 unless its producer says that it corrects an earlier export. */
export function revision(span: Span): number {
  const value = Number(span.attributes[recordKeys.revision] ?? 0);
  return Number.isInteger(value) && value > 0 && value <= revisionMax ? value : 0;
}
