/** What JSON text may look like before it is parsed, and the words for what it looks like after. */

import { MalformedExportError } from "./decoded-export.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

/** Smaller texts are parsed unseen: the worst one costs some 20 MB for a moment. */
const unseenBytesMax = 1024 * 1024;
/** The tightest real attribute, `{"key":"a","value":{"intValue":"1"}},`, has one opening bracket in 18 bytes. */
const bytesPerBracketMin = 12;

/**
 * Refuses text that `JSON.parse` would turn into far more memory than its size: `{},{},...` of 64 MiB takes 1.5 GB of
 * heap and 14 s, as much as ten thousand brackets deep. Brackets inside strings do not count.
 * @throws MalformedExportError naming the byte at which the text is too deep, or its density of brackets.
 */
export function checkJsonShape(body: Buffer, nestingMax: number): void {
  const bracketsMax = Math.max(unseenBytesMax, body.length) / bytesPerBracketMin;
  let brackets = 0;
  let depth = 0;
  for (let at = 0; at < body.length; at++) {
    const byte = body[at];
    if (byte === 0x22) {
      at = stringEnd(body, at);
    } else if (byte === 0x7b || byte === 0x5b) {
      brackets++;
      if (++depth > nestingMax)
        throw new MalformedExportError(`expected at most ${nestingMax} nested levels, at byte ${at}`);
    } else if (byte === 0x7d || byte === 0x5d) {
      depth--;
    }
  }
  if (brackets > bracketsMax)
    throw new MalformedExportError(
      `expected at most one bracket in ${bytesPerBracketMin} bytes, got ${brackets} brackets`,
    );
}

/** The position of the quote that closes the string opened at `start`, or the end of the text. */
function stringEnd(body: Buffer, start: number): number {
  for (let at = start + 1; at < body.length; at++) {
    const byte = body[at];
    if (byte === 0x22) return at;
    if (byte === 0x5c) at++;
  }
  return body.length;
}

/**
 * Parses the JSON text of a request.
 * @throws MalformedExportError without a word of the text, which may hold prompts.
 */
export function parseJson(body: Buffer, depthMax: number): unknown {
  // An attribute value takes three levels of JSON a level, the way to a span eight.
  if (body.length > unseenBytesMax) checkJsonShape(body, 3 * depthMax + 16);
  try {
    return JSON.parse(body.toString("utf8"));
  } catch (error) {
    const position = / position (\d+)/.exec(error instanceof Error ? error.message : "")?.[1];
    throw new MalformedExportError(
      position === undefined ? "expected a JSON text" : `expected a JSON text, broken at character ${position}`,
    );
  }
}

/** True for a JSON object, false for an array. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The type of a JSON value, for an error message. */
export function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}
