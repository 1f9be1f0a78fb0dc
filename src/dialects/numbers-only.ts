/**
 * What may be kept of an attribute that is there for its numbers. Usage families and JSON attributes come from many
 * hands; whatever else they hold (texts, names, prompts) stops here, before anything is written to disk.
 */

import type { AttributeValue } from "../model/span.ts";

const leavesMax = 64;
const depthMax = 6;
const keyLengthMax = 128;
const decimal = /^\s*[+-]?\d{1,20}(?:\.\d{0,30})?(?:e[+-]?\d{1,3})?\s*$/i;
const plainName = /^[A-Za-z]\w{0,63}$/;

/**
 * The numbers of a value, by the attribute key each is kept under: a number or decimal text as it is; of JSON text the
 * numeric leaves under `key.path`, at most 64 and six levels deep, where `keeps` allows that key; NaN under the key
 * itself for anything else, so that a reader can say that something was there.
 */
export function numbersOnly(
  key: string,
  value: AttributeValue,
  keeps: (key: string) => boolean,
): Record<string, AttributeValue> {
  if (typeof value === "number") return { [key]: value };
  if (Array.isArray(value)) return { [key]: value.length === 1 && isNumeric(value[0]) ? value[0] : Number.NaN };
  if (typeof value !== "string") return { [key]: Number.NaN };
  if (value.length <= 64 && decimal.test(value)) return { [key]: value };
  const leaves: Record<string, AttributeValue> = {};
  const json = parsed(value);
  if (json === undefined) return { [key]: Number.NaN };
  collect({ leaves, keeps, left: leavesMax }, key, json, 0);
  return leaves;
}

function isNumeric(value: AttributeValue | undefined): value is number | string {
  return typeof value === "number" || (typeof value === "string" && value.length <= 64 && decimal.test(value));
}

/** The object that a text is as JSON, or as Python prints it (LiteLLM's `str(usage)`); undefined where it is none. */
function parsed(text: string): object | undefined {
  if (!/^\s*\{/.test(text)) return undefined;
  const json = /^\s*\{\s*'/.test(text) ? fromPython(text) : text;
  try {
    return JSON.parse(json) as object;
  } catch {
    return undefined;
  }
}

/** Good for names, numbers and plain words, which is what a usage has; anything else ends up as no JSON. */
function fromPython(text: string): string {
  return text
    .replaceAll("'", '"')
    .replace(/\bNone\b/g, "null")
    .replace(/\bTrue\b/g, "true")
    .replace(/\bFalse\b/g, "false");
}

interface Collection {
  readonly leaves: Record<string, AttributeValue>;
  readonly keeps: (key: string) => boolean;
  left: number;
}

function collect(collection: Collection, path: string, json: object, depth: number): void {
  if (depth >= depthMax || Array.isArray(json)) return;
  for (const [name, value] of Object.entries(json) as [string, unknown][]) {
    if (collection.left === 0) return;
    const key = `${path}.${name}`;
    if (!plainName.test(name) || key.length > keyLengthMax) continue;
    if (typeof value === "object" && value !== null) collect(collection, key, value, depth + 1);
    else if (typeof value === "number" && collection.keeps(key)) {
      collection.leaves[key] = value;
      collection.left--;
    }
  }
}
