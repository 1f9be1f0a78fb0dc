/** A decoded export as it goes into the spans log: its spans as bytes, so that it can be made in another thread. */

import { completenessKeys } from "../../instrumentation/protocol.ts";
import type { Span } from "../model/span.ts";
import type { DecodedExport, RejectedSpan } from "./decoded-export.ts";
import { encodeSpansEntry } from "./spans-codec.ts";

export interface EncodedExport {
  /** An entry of the spans log; null when no span is to be kept. */
  readonly payload: Uint8Array<ArrayBuffer> | null;
  /** Spans in the payload. */
  readonly spans: number;
  readonly otherSpans: number;
  readonly rejected: readonly RejectedSpan[];
  /** The id under which its producer numbers records; "" where it does not. */
  readonly producer: string;
}

export interface Arrival {
  /** Unix milliseconds when the request had arrived. */
  readonly arrivedAtMs: number;
  /** Spans that began longer ago than this cannot be told from repeats: their rows are gone. */
  readonly oldestMs: number;
}

/** Rejects what is too old and encodes the rest. */
export function encodeExport(decoded: DecodedExport, arrival: Arrival): EncodedExport {
  const tooOld: RejectedSpan[] = [];
  const spans = decoded.spans.filter((span, index) => {
    const reason = reasonTooOld(span, arrival);
    if (reason !== undefined) tooOld.push({ index, reason });
    return reason === undefined;
  });
  const producer = decoded.spans[0]?.resource[completenessKeys.producer];
  return {
    payload: spans.length === 0 ? null : encodeSpansEntry({ arrivedAtMs: arrival.arrivedAtMs, spans }),
    spans: spans.length,
    otherSpans: decoded.otherSpans,
    rejected: [...decoded.rejected, ...tooOld],
    producer: typeof producer === "string" ? producer : "",
  };
}

function reasonTooOld(span: Span, { arrivedAtMs, oldestMs }: Arrival): string | undefined {
  const startMs = span.startUs / 1000;
  if (startMs === 0 || startMs >= arrivedAtMs - oldestMs) return undefined;
  const days = Math.round(oldestMs / 86_400_000);
  return `began ${new Date(startMs).toISOString()}, before the ${days} days that raw records are kept: check the producer's clock, or raise store.raw_retention_days`;
}
