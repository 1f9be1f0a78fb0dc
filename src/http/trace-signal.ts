/** Traces as the OTLP faces take them: decoded by the filter, then accepted into the spans log. */

import type { AcceptExport, AcceptOutcome } from "../ingest/accept-outcome.ts";
import {
  type DecodedExport,
  type DecodeLimits,
  defaultDecodeLimits,
  MalformedExportError,
  type SpanFilter,
} from "../ingest/decoded-export.ts";
import { decodeJsonExport } from "../ingest/otlp-json.ts";
import { decodeProtobufExport } from "../ingest/otlp-protobuf.ts";
import type { OtlpEncoding } from "./otlp-answers.ts";
import type { OtlpSignal, ReceivedOutcome } from "./otlp-signal.ts";

export interface TraceSignalOptions {
  readonly accept: AcceptExport;
  readonly filter: SpanFilter;
  readonly limits?: DecodeLimits;
  /** Told where `accept` threw. */
  readonly report: (error: unknown) => void;
}

/** The signal of `/v1/traces` and of the TraceService. It is accepted only after `accept` has resolved. */
export function traceSignal({ accept, filter, limits = defaultDecodeLimits, report }: TraceSignalOptions): OtlpSignal {
  const decode = (bytes: Buffer, encoding: OtlpEncoding): DecodedExport | MalformedExportError => {
    try {
      return (encoding === "json" ? decodeJsonExport : decodeProtobufExport)(bytes, limits, filter);
    } catch (error) {
      if (error instanceof MalformedExportError) return error;
      throw error;
    }
  };
  return {
    words: { telemetry: "traces", item: "span", items: "spans", rejectedField: "rejectedSpans" },
    async receive(bytes, encoding, producer) {
      const decoded = decode(bytes, encoding);
      if (decoded instanceof MalformedExportError)
        return { outcome: { kind: "malformed", message: decoded.message }, kept: 0, other: 0, rejected: 0 };
      const accepted = await accept(decoded, producer).catch((error: unknown): AcceptOutcome => {
        report(error);
        // Whether the spans are stored is unknown: a repeat is found by its ids, a loss by nobody.
        return { kind: "unavailable", retryAfterSeconds: 5, message: "the collector failed to store the spans" };
      });
      const outcome = outcomeOf(decoded, accepted);
      const rejected = outcome.kind === "accepted" ? outcome.rejected.length : decoded.rejected.length;
      return { outcome, kept: decoded.spans.length, other: decoded.otherSpans, rejected };
    },
  };
}

function outcomeOf(decoded: DecodedExport, accepted: AcceptOutcome): ReceivedOutcome {
  switch (accepted.kind) {
    case "accepted":
      return { kind: "accepted", rejected: [...decoded.rejected, ...accepted.rejected] };
    case "overloaded":
      return { ...accepted, message: "the collector is overloaded; send the same spans again later" };
    case "unavailable":
      return accepted;
  }
}
