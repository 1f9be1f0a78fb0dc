/** The list of dialects, in the order in which they are asked. Adding one is a file and a line here. */

import { completenessKeys, finalMarkSpanName } from "../../instrumentation/protocol.ts";
import type { Span } from "../model/span.ts";
import type { Dialect } from "./dialect.ts";
import { otelGenai } from "./otel-genai.ts";

export const dialects: readonly Dialect[] = [otelGenai];

/** The first dialect that speaks for this span. */
export function dialectOf(span: Span): Dialect | undefined {
  return dialects.find((dialect) => dialect.matches(span));
}

const keptKeys = new Set([
  ...dialects.flatMap((dialect) => dialect.keys),
  ...Object.values(completenessKeys),
  "deployment.environment",
]);
const keptPrefixes = dialects.flatMap((dialect) => dialect.keyPrefixes);

/** The allow-list: true for attributes that some dialect, or the account of completeness, reads. */
export function keepsAttribute(key: string): boolean {
  return keptKeys.has(key) || keptPrefixes.some((prefix) => key.startsWith(prefix));
}

/** True for spans that become records, and for the mark that ends a producer's numbering. */
export function keepsSpan(span: Span): boolean {
  return span.name === finalMarkSpanName || dialectOf(span)?.keeps(span) === true;
}
