/** Members of usage families that no bucket takes: the way money gets lost when a convention changes. */

import type { Attributes } from "../model/span.ts";

/** The unknown keys of a span's attributes, in the order of the span. */
export type UnknownUsage = (attributes: Attributes) => readonly string[];

const keysMax = 8;
const keyLengthMax = 128;
const none: readonly string[] = [];

/** Looks for keys under one of `prefixes` that are not `known` and hold a number other than 0; at most eight. */
export function unknownUsageOf(prefixes: readonly string[], known: Iterable<string>): UnknownUsage {
  const passed = new Set(known);
  return (attributes) => {
    let found: string[] | undefined;
    for (const key in attributes) {
      if (passed.has(key) || !prefixes.some((prefix) => key.startsWith(prefix))) continue;
      if (key.length > keyLengthMax || !(Number(attributes[key]) > 0)) continue;
      found ??= [];
      if (found.push(key) === keysMax) break;
    }
    return found ?? none;
  };
}
