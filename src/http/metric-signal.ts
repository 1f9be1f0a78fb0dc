/** Metrics as the OTLP faces take them: inflated and decoded by name on this thread, then accepted into the store. */

import type { AcceptOutcome } from "../ingest/accept-outcome.ts";
import { type DecodeLimits, defaultDecodeLimits, MalformedExportError } from "../ingest/decoded-export.ts";
import type { DecodedMetrics, MetricFilter } from "../ingest/metrics/decoded-metrics.ts";
import { decodeJsonMetrics } from "../ingest/metrics/metrics-json.ts";
import { decodeProtobufMetrics } from "../ingest/metrics/metrics-protobuf.ts";
import { inflateBody } from "./inflate-body.ts";
import type { OtlpEncoding } from "./otlp-answers.ts";
import type { Refused } from "./otlp-body.ts";
import { inflatedBytesMax } from "./otlp-prepare.ts";
import type { OtlpSignal, Received, ReceivedOutcome } from "./otlp-signal.ts";

export interface MetricSignalOptions {
  readonly accept: (decoded: DecodedMetrics) => Promise<AcceptOutcome>;
  readonly keeps: MetricFilter;
  readonly limits?: DecodeLimits;
  /** Told where `accept` threw. */
  readonly report: (error: unknown) => void;
}

/** The signal of `/v1/metrics` and of the MetricsService. */
export function metricSignal({ accept, keeps, limits = defaultDecodeLimits, report }: MetricSignalOptions): OtlpSignal {
  const decode = (bytes: Buffer, encoding: OtlpEncoding): DecodedMetrics | MalformedExportError => {
    try {
      return (encoding === "json" ? decodeJsonMetrics : decodeProtobufMetrics)(bytes, limits, keeps);
    } catch (error) {
      if (error instanceof MalformedExportError) return error;
      throw error;
    }
  };
  return {
    words: { telemetry: "metrics", item: "data point", items: "data points", rejectedField: "rejectedDataPoints" },
    async receive({ bytes, coding, encoding }, _producer, lease) {
      const inflated = await inflateBody(bytes, coding, { bytesMax: inflatedBytesMax(encoding, limits), lease });
      if (inflated.kind !== "body") return refusal(inflated, 0);
      const inflatedBytes = inflated.bytes.length;
      const decoded = decode(inflated.bytes, encoding);
      if (decoded instanceof MalformedExportError)
        return refusal({ kind: "refused", status: 400, message: decoded.message }, inflatedBytes);
      const accepted = await accept(decoded).catch((error: unknown): AcceptOutcome => {
        report(error);
        return { kind: "unavailable", retryAfterSeconds: 5, message: "the collector failed to store the metrics" };
      });
      const outcome = outcomeOf(decoded, accepted);
      const late = accepted.kind === "accepted" ? accepted.rejected.length : 0;
      const rejected = decoded.rejected.length + late;
      return { outcome, kept: decoded.points.length - late, other: decoded.otherPoints, rejected, inflatedBytes };
    },
  };
}

function refusal(outcome: Refused, inflatedBytes: number): Received {
  return { outcome, kept: 0, other: 0, rejected: 0, inflatedBytes };
}

function outcomeOf(decoded: DecodedMetrics, accepted: AcceptOutcome): ReceivedOutcome {
  switch (accepted.kind) {
    case "accepted":
      return { kind: "accepted", rejected: [...decoded.rejected, ...accepted.rejected] };
    case "overloaded":
      return { ...accepted, message: "the collector is overloaded; send the same metrics again later" };
    case "unavailable":
      return accepted;
  }
}
