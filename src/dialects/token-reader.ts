/** All token counts of a span in one walk over its attributes, and the members of usage families that no bucket takes. */

import type { Attributes } from "../model/span.ts";
import { tokenCount } from "./attributes.ts";
import type { ReportedModalities } from "./modalities.ts";
import type { TokenKeys } from "./reading-keys.ts";
import type { ReportedTokens } from "./token-algebra.ts";

export interface TokensRead {
  readonly reported: ReportedTokens & ReportedModalities;
  /** True when a value was no plausible count. */
  readonly dropped: boolean;
  /** Unknown keys with a number above 0, the way money gets lost when a convention changes; at most eight. */
  readonly unknownKeys: readonly string[];
}

export type TokenReader = (attributes: Attributes) => TokensRead;

const unknownKeysMax = 8;
const unknownKeyLengthMax = 128;
const none: readonly string[] = [];
const buckets: readonly (keyof TokenKeys)[] = [
  "input",
  "uncachedInput",
  "cacheRead",
  "cacheWrite",
  "cacheWrite5m",
  "cacheWrite1h",
  "output",
  "visibleOutput",
  "reasoning",
  "total",
  "audioInput",
  "audioCacheRead",
  "audioOutput",
  "imageInput",
  "imageCacheRead",
  "imageOutput",
];

/**
 * A reader of these keys. Unknown are keys under one of `prefixes` that are neither these nor `known`: names, or prefixes
 * that end in `*`.
 */
export function tokenReader(keys: TokenKeys, prefixes: readonly string[], known: readonly string[]): TokenReader {
  const bucketOf = new Map<string, keyof TokenKeys | null>(known.map((key) => [key, null]));
  for (const bucket of buckets) for (const key of keys[bucket]) bucketOf.set(key, bucket);
  const families = known.filter((key) => key.endsWith("*")).map((key) => key.slice(0, -1));
  const isUnknown = (key: string, value: unknown) =>
    Number(value) > 0 &&
    key.length <= unknownKeyLengthMax &&
    prefixes.some((prefix) => key.startsWith(prefix)) &&
    !families.some((family) => key.startsWith(family));

  return (attributes) => {
    const reported = nothingReported();
    let dropped = false;
    let unknownKeys: string[] | undefined;
    for (const key in attributes) {
      const bucket = bucketOf.get(key);
      if (bucket === null) continue;
      const value = attributes[key];
      if (bucket === undefined) {
        if (!isUnknown(key, value)) continue;
        unknownKeys ??= [];
        if (unknownKeys.length < unknownKeysMax) unknownKeys.push(key);
        continue;
      }
      const tokens = value === undefined ? Number.NaN : tokenCount(value);
      if (Number.isNaN(tokens)) dropped = true;
      else if (reported[bucket] === undefined) reported[bucket] = tokens;
      else reported[bucket] = firstCount(attributes, keys[bucket]);
    }
    return { reported, dropped, unknownKeys: unknownKeys ?? none };
  };
}

/** Of several keys of a bucket the first in its list counts, in whatever order the producer sent them. */
function firstCount(attributes: Attributes, keys: readonly string[]): number | undefined {
  for (const key of keys) {
    const value = attributes[key];
    const tokens = value === undefined ? Number.NaN : tokenCount(value);
    if (!Number.isNaN(tokens)) return tokens;
  }
  return undefined;
}

function nothingReported(): { -readonly [bucket in keyof TokenKeys]: number | undefined } {
  return {
    input: undefined,
    uncachedInput: undefined,
    cacheRead: undefined,
    cacheWrite: undefined,
    cacheWrite5m: undefined,
    cacheWrite1h: undefined,
    output: undefined,
    visibleOutput: undefined,
    reasoning: undefined,
    total: undefined,
    audioInput: undefined,
    audioCacheRead: undefined,
    audioOutput: undefined,
    imageInput: undefined,
    imageCacheRead: undefined,
    imageOutput: undefined,
  };
}
