/** A decoded export as it goes into the spans log: its spans as bytes, so that it can be made in another thread. */

import { completenessKeys } from "../../instrumentation/protocol.ts";
import { partitionOf } from "../event-log/partition-of.ts";
import type { Span } from "../model/span.ts";
import type { DecodedExport, RejectedSpan } from "./decoded-export.ts";
import { encodeSpansEntry } from "./spans-codec.ts";

export interface EncodedExport {
  /** Entries of the spans log; none when no span is to be kept. */
  readonly entries: readonly SpansPart[];
  /** Spans in the entries. */
  readonly spans: number;
  readonly otherSpans: number;
  readonly rejected: readonly RejectedSpan[];
  /** The id under which its producer numbers records; "" where it does not. */
  readonly producer: string;
}

/** An entry and the partition of the spans log it belongs to: a trace's spans all go to one. */
export interface SpansPart {
  readonly partition: number;
  readonly payload: Uint8Array<ArrayBuffer>;
}

/** How a log wants its entries. */
export interface SpansLayout {
  readonly partitions: number;
  /** An entry that is larger is divided, as far as its spans allow. */
  readonly entryBytesMax: number;
}

/** One machine has one log, which takes entries of any size. */
export const oneLog: SpansLayout = { partitions: 1, entryBytesMax: Number.POSITIVE_INFINITY };

export interface Arrival {
  /** Unix milliseconds when the request had arrived. */
  readonly arrivedAtMs: number;
  /** Spans that began longer ago than this cannot be told from repeats: their rows are gone. */
  readonly oldestMs: number;
}

/** Rejects what is too old and encodes the rest. */
export function encodeExport(decoded: DecodedExport, arrival: Arrival, layout: SpansLayout = oneLog): EncodedExport {
  const tooOld: RejectedSpan[] = [];
  const spans = decoded.spans.filter((span, index) => {
    const reason = reasonTooOld(span, arrival);
    if (reason !== undefined) tooOld.push({ index, reason });
    return reason === undefined;
  });
  const producer = decoded.spans[0]?.resource[completenessKeys.producer];
  return {
    entries: [...byTrace(spans, layout.partitions)].flatMap(([partition, of]) =>
      encoded(of, arrival.arrivedAtMs, layout.entryBytesMax).map((payload) => ({ partition, payload })),
    ),
    spans: spans.length,
    otherSpans: decoded.otherSpans,
    rejected: [...decoded.rejected, ...tooOld],
    producer: typeof producer === "string" ? producer : "",
  };
}

function byTrace(spans: readonly Span[], partitions: number): ReadonlyMap<number, readonly Span[]> {
  if (spans.length === 0) return new Map();
  if (partitions === 1) return new Map([[0, spans]]);
  return Map.groupBy(spans, ({ traceId }) => partitionOf(traceId, partitions));
}

function encoded(spans: readonly Span[], arrivedAtMs: number, bytesMax: number): Uint8Array<ArrayBuffer>[] {
  const payload = encodeSpansEntry({ arrivedAtMs, spans });
  if (payload.length <= bytesMax || spans.length === 1) return [payload];
  const half = spans.length >> 1;
  return [spans.slice(0, half), spans.slice(half)].flatMap((part) => encoded(part, arrivedAtMs, bytesMax));
}

function reasonTooOld(span: Span, { arrivedAtMs, oldestMs }: Arrival): string | undefined {
  const startMs = span.startUs / 1000;
  if (startMs === 0 || startMs >= arrivedAtMs - oldestMs) return undefined;
  const days = Math.round(oldestMs / 86_400_000);
  return `began ${new Date(startMs).toISOString()}, before the ${days} days that raw records are kept: check the producer's clock, or raise store.raw_retention_days`;
}
