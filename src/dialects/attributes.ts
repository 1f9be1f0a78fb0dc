/** Reading attribute values that producers typed in their own way. Never throws. */

import { attributionKeys, recordKeys, toolArgsHashKey } from "../../instrumentation/protocol.ts";
import type { AttributeValue, Span } from "../model/span.ts";
import type { Attribution } from "../model/usage-record.ts";

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

/** The first text of a list, or of a JSON list in a string, or the text itself: finish reasons come in all three. */
export function firstText(value: AttributeValue | undefined): string {
  if (Array.isArray(value)) return text(value[0]);
  const whole = text(value as AttributeValue | undefined);
  if (!whole.startsWith("[")) return whole;
  return /^\[\s*"([^"\\]*)"/.exec(whole)?.[1] ?? "";
}

/** Token count under the first of these keys that is present. */
export interface TokenCount {
  /** Undefined when no key is present or the value is no plausible count. */
  readonly tokens: number | undefined;
  /** True when a value was present but was NaN, negative, fractional or absurd. */
  readonly dropped: boolean;
}

/** The count under the first of `keys` that is present, whatever type the producer gave it. */
export function tokenCount(span: Span, keys: readonly string[]): TokenCount {
  for (const key of keys) {
    const value = span.attributes[key];
    if (value === undefined) continue;
    const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
    const plausible = typeof number === "number" && Number.isInteger(number) && number >= 0 && number <= tokensMax;
    return plausible ? { tokens: number, dropped: false } : { tokens: undefined, dropped: true };
  }
  return { tokens: undefined, dropped: false };
}

/** Attribution keys that every dialect keeps. */
export const commonKeys: readonly string[] = [
  ...Object.values(attributionKeys),
  toolArgsHashKey,
  recordKeys.revision,
  recordKeys.audioSeconds,
  "error.type",
];

/** Who and what for, from the span first and its resource second. */
export function attribution(span: Span): Attribution {
  const either = (key: string) => text(span.attributes[key]) || text(span.resource[key]);
  return {
    tenant: either(attributionKeys.tenant) || "default",
    service: either(attributionKeys.service),
    environment: either(attributionKeys.environment) || either("deployment.environment"),
    feature: either(attributionKeys.feature),
    user: either(attributionKeys.user),
    session: either(attributionKeys.session) || either(attributionKeys.conversation),
    agent: either(attributionKeys.agent),
    run: either(attributionKeys.run),
    promptName: either(attributionKeys.promptName),
    promptVersion: either(attributionKeys.promptVersion),
    release: either(attributionKeys.release),
  };
}

const revisionMax = 65_535;

/** Which version of itself a span is: 0 unless its producer says that it corrects an earlier export. */
export function revision(span: Span): number {
  const value = Number(span.attributes[recordKeys.revision] ?? 0);
  return Number.isInteger(value) && value > 0 && value <= revisionMax ? value : 0;
}
