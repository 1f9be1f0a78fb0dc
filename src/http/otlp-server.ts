/** The two OTLP fronts over the same signals: HTTP by path and gRPC by service; everything else hears what is taken here. */

import { createServer, type Server } from "node:http";
import { status as grpcStatus } from "@grpc/grpc-js";
import type { Acceptor } from "../ingest/accept.ts";
import type { AcceptOutcome } from "../ingest/accept-outcome.ts";
import type { EncodedExport } from "../ingest/encoded-export.ts";
import type { MetricAcceptor } from "../ingest/metrics/metric-acceptor.ts";
import { keepsMetric } from "../ingest/metrics/metric-names.ts";
import { sendJson } from "./answer.ts";
import { createGrpcReceiver, type GrpcReceiver } from "./grpc-receiver.ts";
import { metricSignal } from "./metric-signal.ts";
import type { Metrics } from "./metrics.ts";
import { createIntake } from "./otlp-intake.ts";
import type { Prepare } from "./otlp-preparer.ts";
import { createOtlpHandler } from "./otlp-receiver.ts";
import type { OtlpRequestEvent, OtlpSignal } from "./otlp-signal.ts";
import type { Refusals } from "./refusals.ts";
import { traceSignal } from "./trace-signal.ts";

export interface OtlpFrontsOptions {
  readonly acceptor: Pick<Acceptor, "accept">;
  readonly metricAcceptor: Pick<MetricAcceptor, "accept">;
  readonly prepare: Prepare;
  readonly now: () => number;
  readonly metrics: Metrics;
  readonly refusals: Refusals;
  readonly report: (error: unknown) => void;
}

export interface OtlpFronts {
  readonly http: Server;
  readonly grpc: GrpcReceiver;
}

/** Both fronts, not listening yet. They share one budget of memory. */
export function createOtlpFronts({
  acceptor,
  metricAcceptor,
  prepare,
  now,
  metrics,
  refusals,
  report,
}: OtlpFrontsOptions): OtlpFronts {
  const intake = createIntake({ report });
  const traces = traceSignal({
    accept: async (received) => {
      const outcome = await acceptor.accept(received);
      noteRefusals(refusals, received, outcome);
      return outcome;
    },
    prepare,
    now,
    report,
  });
  const observe = (event: OtlpRequestEvent) => count(metrics, event);
  const points = metricSignal({ accept: (decoded) => metricAcceptor.accept(decoded), keeps: keepsMetric, report });
  const signals: Readonly<Record<"traces" | "metrics", OtlpSignal>> = { traces, metrics: points };
  const handlers = new Map(
    Object.entries(signals).map(([name, signal]) => [`/v1/${name}`, createOtlpHandler({ signal, intake, observe })]),
  );
  const http = createServer((request, response) => {
    const path = (request.url ?? "").split("?", 1)[0] ?? "";
    const handle = handlers.get(path);
    if (handle !== undefined) return handle(request, response);
    request.resume();
    const taken = [...handlers.keys()].map((known) => `${known.slice(4)} are taken at ${known}`).join(", ");
    sendJson(response, { code: 5, message: `no such path: ${path}; ${taken}` }, 404);
  });
  return { http, grpc: createGrpcReceiver({ signals, intake, observe }) };
}

function count(metrics: Metrics, event: OtlpRequestEvent): void {
  const { protocol, telemetry, status, wireBytes, kept, other, rejected } = event;
  const grpc = protocol === "grpc";
  metrics.requests.inc({ protocol, telemetry, status: grpc ? (grpcStatus[status] ?? status) : status });
  metrics.wireBytes.inc({ protocol, telemetry }, wireBytes);
  if (status !== (grpc ? grpcStatus.OK : 200)) return;
  const points = telemetry === "metrics";
  (points ? metrics.pointsKept : metrics.spansKept).inc(kept);
  (points ? metrics.pointsOther : metrics.spansOther).inc(other);
  (points ? metrics.pointsRejected : metrics.spansRejected).inc(rejected);
}

/** The exporter hides partial success from its user; `replay` asks for it by the producer's id. */
function noteRefusals(refusals: Refusals, { producer, rejected }: EncodedExport, outcome: AcceptOutcome): void {
  if (outcome.kind !== "accepted") return;
  for (const { reason } of [...rejected, ...outcome.rejected]) refusals.note(producer, reason);
}
