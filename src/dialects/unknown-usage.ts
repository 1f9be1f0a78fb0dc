/** Members of usage families that no bucket takes: the way money gets lost when a convention changes. */

import type { Attributes } from "../model/span.ts";

/** The unknown keys of a span's attributes, in the order of the span. */
export type UnknownUsage = (attributes: Attributes) => readonly string[];

const keysMax = 8;
const keyLengthMax = 128;
const none: readonly string[] = [];

/** Looks for keys under one of `prefixes` that are not `known` (a name, or a prefix that ends in `*`) and hold more than 0. */
export function unknownUsageOf(prefixes: readonly string[], known: Iterable<string>): UnknownUsage {
  const passed = new Set(known);
  const families = [...passed].filter((key) => key.endsWith("*")).map((key) => key.slice(0, -1));
  return (attributes) => {
    let found: string[] | undefined;
    for (const key in attributes) {
      if (passed.has(key) || !prefixes.some((prefix) => key.startsWith(prefix))) continue;
      if (key.length > keyLengthMax || !(Number(attributes[key]) > 0)) continue;
      if (families.some((family) => key.startsWith(family))) continue;
      found ??= [];
      if (found.push(key) === keysMax) break;
    }
    return found ?? none;
  };
}
