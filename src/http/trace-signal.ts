/** Traces as the OTLP faces take them: prepared here or in a thread, then accepted into the spans log. */

import type { AcceptExport, AcceptOutcome } from "../ingest/accept-outcome.ts";
import type { EncodedExport } from "../ingest/encoded-export.ts";
import type { Prepared } from "./otlp-prepare.ts";
import type { Prepare } from "./otlp-preparer.ts";
import type { OtlpSignal, Received, ReceivedOutcome } from "./otlp-signal.ts";

export interface TraceSignalOptions {
  readonly accept: AcceptExport;
  readonly prepare: Prepare;
  /** Unix milliseconds: when a request had arrived. */
  readonly now: () => number;
  /** Told where `accept` threw. */
  readonly report: (error: unknown) => void;
}

/** The signal of `/v1/traces` and of the TraceService. It is accepted only after `accept` has resolved. */
export function traceSignal({ accept, prepare, now, report }: TraceSignalOptions): OtlpSignal {
  return {
    words: { telemetry: "traces", item: "span", items: "spans", rejectedField: "rejectedSpans" },
    async receive(body, producer) {
      const prepared = await prepare({ ...body, arrivedAtMs: now() });
      if (prepared.kind !== "export") return refusal(prepared);
      const { encoded, inflatedBytes } = prepared;
      const accepted = await accept(encoded, producer).catch((error: unknown): AcceptOutcome => {
        report(error);
        // Whether the spans are stored is unknown: a repeat is found by its ids, a loss by nobody.
        return { kind: "unavailable", retryAfterSeconds: 5, message: "the collector failed to store the spans" };
      });
      const outcome = outcomeOf(encoded, accepted);
      const rejected = outcome.kind === "accepted" ? outcome.rejected.length : encoded.rejected.length;
      return { outcome, kept: encoded.spans, other: encoded.otherSpans, rejected, inflatedBytes };
    },
  };
}

function refusal(prepared: Exclude<Prepared, { kind: "export" }>): Received {
  const nothing = { kept: 0, other: 0, rejected: 0, inflatedBytes: 0 };
  if (prepared.kind === "overloaded") {
    const message = "too many requests wait to be decoded";
    return { ...nothing, outcome: { kind: "overloaded", retryAfterSeconds: 1, message } };
  }
  const { kind, status, message, inflatedBytes } = prepared;
  return { ...nothing, inflatedBytes, outcome: { kind, status, message } };
}

function outcomeOf(encoded: EncodedExport, accepted: AcceptOutcome): ReceivedOutcome {
  switch (accepted.kind) {
    case "accepted":
      return { kind: "accepted", rejected: [...encoded.rejected, ...accepted.rejected] };
    case "overloaded":
      return { ...accepted, message: "the collector is overloaded; send the same spans again later" };
    case "unavailable":
      return accepted;
  }
}
