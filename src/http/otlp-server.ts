/** The OTLP/HTTP front: takes traces on /v1/traces and says of everything else that it is not here. */

import { createServer, type Server } from "node:http";
import type { Acceptor } from "../ingest/accept.ts";
import type { AcceptOutcome } from "../ingest/accept-outcome.ts";
import type { EncodedExport } from "../ingest/encoded-export.ts";
import { sendJson } from "./answer.ts";
import type { Metrics } from "./metrics.ts";
import type { Prepare } from "./otlp-preparer.ts";
import { createOtlpHandler } from "./otlp-receiver.ts";
import type { Refusals } from "./refusals.ts";

export interface OtlpServerOptions {
  readonly acceptor: Acceptor;
  readonly prepare: Prepare;
  readonly now: () => number;
  readonly metrics: Metrics;
  readonly refusals: Refusals;
  readonly report: (error: unknown) => void;
}

export function createOtlpServer({ acceptor, prepare, now, metrics, refusals, report }: OtlpServerOptions): Server {
  const handle = createOtlpHandler({
    accept: async (received) => {
      const outcome = await acceptor.accept(received);
      noteRefusals(refusals, received, outcome);
      return outcome;
    },
    prepare,
    now,
    observe: ({ status, wireBytes, spans, otherSpans, rejected }) => {
      metrics.requests.inc({ status });
      metrics.wireBytes.inc(wireBytes);
      if (status !== 200) return;
      metrics.spansKept.inc(spans);
      metrics.spansOther.inc(otherSpans);
      metrics.spansRejected.inc(rejected);
    },
    report,
  });
  return createServer((request, response) => {
    const path = (request.url ?? "").split("?", 1)[0];
    if (path === "/v1/traces") return handle(request, response);
    request.resume();
    sendJson(response, { code: 5, message: `no such path: ${path}; traces are taken at /v1/traces` }, 404);
  });
}

/** The exporter hides partial success from its user; `replay` asks for it by the producer's id. */
function noteRefusals(refusals: Refusals, { producer, rejected }: EncodedExport, outcome: AcceptOutcome): void {
  if (outcome.kind !== "accepted") return;
  for (const { reason } of [...rejected, ...outcome.rejected]) refusals.note(producer, reason);
}
