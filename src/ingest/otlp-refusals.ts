/** What both decoders refuse, in the same words. */

import { type DecodeLimits, MalformedExportError } from "./decoded-export.ts";

/** Bytes an array element counts for beside its text, so that a long list of nothing is also cut. */
export const elementBytes = 8;

/** Spans beyond `spansMax` are refused one by one up to this many times the limit; then the request is. */
const surplusFactor = 16;

export const refusals = {
  traceId: "the trace id must be 16 bytes, not all zero",
  spanId: "the span id must be 8 bytes, not all zero",
  parentSpanId: "the parent span id must be empty or 8 bytes",
  time: "the start and end time must be Unix nanoseconds before the year 2255",
  attributes: (limits: DecodeLimits) =>
    `it carries more than ${limits.attributesPerSpanMax} attributes; lower the attribute limit of the SDK`,
  resource: (limits: DecodeLimits) => `its resource carries more than ${limits.attributesPerSpanMax} attributes`,
  depth: (limits: DecodeLimits) => `an attribute value nests deeper than ${limits.depthMax} levels`,
  surplus: (limits: DecodeLimits) =>
    `a request may hold ${limits.spansMax} spans; lower the batch size of the exporter (maxExportBatchSize)`,
};

/**
 * Bounds what one request can make of a few bytes: two bytes are a span or a container that costs an object here.
 * @param count spans, or resources and scopes, read so far.
 * @throws MalformedExportError beyond sixteen times `spansMax`.
 */
export function checkCount(count: number, what: string, limits: DecodeLimits): void {
  if (count <= limits.spansMax * surplusFactor) return;
  throw new MalformedExportError(`expected at most ${limits.spansMax * surplusFactor} ${what} in one request`);
}

/** Unix microseconds that a JS number holds exactly: until June 2255. */
export function isUnixMicros(value: number): boolean {
  return value <= Number.MAX_SAFE_INTEGER;
}
