/** The list of dialects, in the order in which their keys are asked for. Adding one is a file and a line here. */

import { completenessKeys, finalMarkSpanName } from "../../instrumentation/protocol.ts";
import type { AttributeValue, Span } from "../model/span.ts";
import { anthropicNative } from "./anthropic-native.ts";
import type { Dialect } from "./dialect.ts";
import { langfuse } from "./langfuse.ts";
import { langsmith } from "./langsmith.ts";
import { litellm } from "./litellm.ts";
import { logfire } from "./logfire.ts";
import { numbersOnly } from "./numbers-only.ts";
import { openinference } from "./openinference.ts";
import { openlit } from "./openlit.ts";
import { openllmetry } from "./openllmetry.ts";
import { otelGenai } from "./otel-genai.ts";
import { scopeMatches, scopeOf } from "./scope.ts";
import { sentry } from "./sentry.ts";
import { vercelAi } from "./vercel-ai.ts";

/** OpenTelemetry's own keys come last: nearly all others have some of them, too. */
export const dialects: readonly Dialect[] = [
  langfuse,
  openinference,
  vercelAi,
  langsmith,
  litellm,
  openllmetry,
  logfire,
  openlit,
  sentry,
  anthropicNative,
  otelGenai,
];

/** Who claims which scope, `name` or `name@version`; bounded, since producers name them. */
const claims = new Map<string, Dialect | null>();
const claimsMax = 1000;

function claimantOf(scope: string): Dialect | null {
  const known = claims.get(scope);
  if (known !== undefined) return known;
  const { name } = scopeOf(scope);
  const claimant = dialects.find(({ scopes }) => scopes.some((pattern) => scopeMatches(pattern, name))) ?? null;
  if (claims.size >= claimsMax) claims.clear();
  claims.set(scope, claimant);
  return claimant;
}

/** The place in the list of the first dialect that a key is the signature of. */
const signatures = new Map<string, number>();
for (const [place, { signature }] of dialects.entries()) {
  for (const key of signature) if (!signatures.has(key)) signatures.set(key, place);
}

function recognised({ attributes }: Span): Dialect | undefined {
  let first = dialects.length;
  for (const key in attributes) {
    const place = signatures.get(key);
    if (place !== undefined && place < first) first = place;
  }
  return dialects[first];
}

/**
 * The dialect that reads this span: the one that claims its scope, else the first in the list whose keys it has.
 * Undefined where that gives no reading.
 */
export function dialectOf(span: Span): Dialect | undefined {
  const dialect = claimantOf(span.scope) ?? recognised(span);
  return dialect?.keeps(span) ? dialect : undefined;
}

const keptKeys = new Set([
  ...dialects.flatMap((dialect) => dialect.keys),
  ...Object.values(completenessKeys),
  "deployment.environment",
]);
const jsonKeys = new Set(dialects.flatMap((dialect) => dialect.jsonKeys));
const numericPrefixes = [...new Set(dialects.flatMap((dialect) => dialect.keyPrefixes))];

/** What is left of an attribute of which only the numbers may be kept. */
export type Reduce = (key: string, value: AttributeValue) => Readonly<Record<string, AttributeValue>>;

const reduce: Reduce = (key, value) => numbersOnly(key, value, (leaf) => keepsAttribute(leaf) !== false);

/**
 * The allow-list: true for attributes that some dialect, or the account of completeness, reads; a reduction for usage
 * families and JSON, of which only numbers may be kept; false for everything else.
 */
export function keepsAttribute(key: string): boolean | Reduce {
  if (jsonKeys.has(key) || numericPrefixes.some((prefix) => key.startsWith(prefix))) return reduce;
  return keptKeys.has(key);
}

/** True for spans that become records, and for the mark that ends a producer's numbering. */
export function keepsSpan(span: Span): boolean {
  return span.name === finalMarkSpanName || dialectOf(span) !== undefined;
}
