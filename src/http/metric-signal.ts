/** Metrics as the OTLP faces take them: decoded by name, then accepted into the store. */

import type { AcceptOutcome } from "../ingest/accept-outcome.ts";
import { type DecodeLimits, defaultDecodeLimits, MalformedExportError } from "../ingest/decoded-export.ts";
import type { DecodedMetrics, MetricFilter } from "../ingest/metrics/decoded-metrics.ts";
import { decodeJsonMetrics } from "../ingest/metrics/metrics-json.ts";
import { decodeProtobufMetrics } from "../ingest/metrics/metrics-protobuf.ts";
import type { OtlpEncoding } from "./otlp-answers.ts";
import type { OtlpSignal, ReceivedOutcome } from "./otlp-signal.ts";

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
    async receive(bytes, encoding) {
      const decoded = decode(bytes, encoding);
      if (decoded instanceof MalformedExportError)
        return { outcome: { kind: "malformed", message: decoded.message }, kept: 0, other: 0, rejected: 0 };
      const accepted = await accept(decoded).catch((error: unknown): AcceptOutcome => {
        report(error);
        return { kind: "unavailable", retryAfterSeconds: 5, message: "the collector failed to store the metrics" };
      });
      const outcome = outcomeOf(decoded, accepted);
      const late = accepted.kind === "accepted" ? accepted.rejected.length : 0;
      const rejected = decoded.rejected.length + late;
      return { outcome, kept: decoded.points.length - late, other: decoded.otherPoints, rejected };
    },
  };
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
