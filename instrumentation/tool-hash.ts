/** Keyed hash of a tool's arguments: equal for equal arguments, whatever the order of their keys. */

import { parseJson } from "./clients/json.ts";
import type { KeyedHash } from "./keyed-hash.ts";

/** HMAC-SHA256 over name and canonical arguments, 32 hex digits. Arguments that are no JSON are hashed as text. */
export function hashToolArguments(hash: KeyedHash, name: string, argumentsText: string): string {
  const parsed = parseJson(argumentsText);
  const canonical = parsed === undefined ? argumentsText : canonicalJson(parsed, 0);
  return hash(`${name}\u0000${canonical}`).slice(0, 32);
}

/** JSON with sorted keys (RFC 8785 without its number formatting, which JSON.stringify already has). */
function canonicalJson(value: unknown, depth: number): string {
  if (typeof value !== "object" || value === null || depth > 32) return JSON.stringify(value) ?? "null";
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item, depth + 1)).join(",")}]`;
  const entries = Object.entries(value)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([key, inner]) => `${JSON.stringify(key)}:${canonicalJson(inner, depth + 1)}`);
  return `{${entries.join(",")}}`;
}
