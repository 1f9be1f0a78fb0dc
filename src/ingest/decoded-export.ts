/** What a decoder makes of one OTLP trace export request. */

import type { AttributeValue, Span } from "../model/span.ts";

export interface RejectedSpan {
  /** Position of the span in the request, counted over all resources and scopes from 0. */
  readonly index: number;
  /** Why, and what to do, as one plain sentence. */
  readonly reason: string;
}

export interface DecodedExport {
  /** Spans that are structurally sound and may be usage; every other sound span is only counted. */
  readonly spans: readonly Span[];
  /** Sound spans that are no LLM operation: counted, not kept. */
  readonly otherSpans: number;
  readonly rejected: readonly RejectedSpan[];
}

/** Limits of one request. Beyond them the request, or the span, is refused with the limit in the message. */
export interface DecodeLimits {
  /** Bytes on the wire. */
  readonly bodyBytesMax: number;
  /** Bytes after inflation. */
  readonly inflatedBytesMax: number;
  /** The same for JSON, which costs much more to read. */
  readonly jsonBytesMax: number;
  readonly spansMax: number;
  readonly attributesPerSpanMax: number;
  /** Bytes of one kept attribute value; longer ones are cut. */
  readonly attributeBytesMax: number;
  /** Bytes of an attribute value that is reduced before it is kept. A longer one is cut, and JSON cut is JSON lost. */
  readonly reducedBytesMax: number;
  /** Nesting of attribute values and groups. */
  readonly depthMax: number;
}

export const defaultDecodeLimits: DecodeLimits = {
  bodyBytesMax: 16 * 1024 * 1024,
  inflatedBytesMax: 64 * 1024 * 1024,
  jsonBytesMax: 16 * 1024 * 1024,
  spansMax: 50_000,
  attributesPerSpanMax: 512,
  attributeBytesMax: 4096,
  reducedBytesMax: 65_536,
  depthMax: 16,
};

/** A request that cannot be read at all: answered 400, never retried by a conforming exporter. */
export class MalformedExportError extends Error {
  override name = "MalformedExportError";
}

/** What is left of an attribute that may not be kept whole, by the keys it is kept under. */
export type AttributeReduction = (key: string, value: AttributeValue) => Readonly<Record<string, AttributeValue>>;

/** Decides while decoding: which attribute keys are kept, and which spans may be usage. */
export interface SpanFilter {
  /**
   * False for everything that is not on the allow-list: prompts, completions, headers. A reduction for attributes of which
   * only a part may be kept; it must keep a number as it is, under its own key. Called once per distinct key.
   */
  keepsAttribute(key: string): boolean | AttributeReduction;
  /** True when some dialect may read this span. */
  keepsSpan(span: Span): boolean;
}
