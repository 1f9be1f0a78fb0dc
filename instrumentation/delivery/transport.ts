/** The private OpenTelemetry SDK: its own provider, sampler and exporter, registered nowhere. */

import { context, createContextKey, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from "@opentelemetry/resources";
import {
  AlwaysOnSampler,
  RandomIdGenerator,
  type ReadableSpan,
  type SpanProcessor,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { completenessKeys } from "../protocol.ts";
import { untraced } from "../vendors.ts";
import type { ReadyDraft, Transport } from "./pipeline.ts";

/** The key by which OpenTelemetry's SDK and instrumentations know that they should look away. */
const suppressTracing = createContextKey("OpenTelemetry SDK Context Key SUPPRESS_TRACING");

export interface TransportOptions {
  readonly serviceName: string;
  /** Unique per process start: the collector counts completeness per instance. */
  readonly instanceId: string;
  readonly exportTimeoutMs: number;
}

/**
 * The exporter reads `OTEL_EXPORTER_OTLP_*`; resource attributes come from `OTEL_RESOURCE_ATTRIBUTES`. Spans are always
 * recorded, whatever the application samples, and keep its trace ids.
 */
export function openTransport(options: TransportOptions): Transport<readonly ReadableSpan[]> {
  const ended: ReadableSpan[] = [];
  const collect: SpanProcessor = {
    onStart() {},
    onEnd: (span) => void ended.push(span),
    forceFlush: () => Promise.resolve(),
    shutdown: () => Promise.resolve(),
  };
  const random = new RandomIdGenerator();
  let forced: ReadyDraft["identity"] | undefined;
  const provider = new TracerProvider({
    sampler: new AlwaysOnSampler(),
    spanProcessors: [collect],
    idGenerator: {
      generateTraceId: () => forced?.traceId ?? random.generateTraceId(),
      generateSpanId: () => forced?.spanId ?? random.generateSpanId(),
    },
    resource: defaultResource()
      .merge(detectResources({ detectors: [envDetector] }))
      .merge(
        resourceFromAttributes({
          "service.name": options.serviceName,
          [completenessKeys.producer]: options.instanceId,
        }),
      ),
  });
  const tracer = provider.getTracer("@burnwatch/instrumentation");
  const exporter = new OTLPTraceExporter({ timeoutMillis: options.exportTimeoutMs });
  return {
    prepare(drafts) {
      for (const draft of drafts) {
        forced = draft.identity;
        const parent =
          draft.parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, { ...draft.parent });
        const span = tracer.startSpan(
          draft.name,
          {
            kind: draft.kind === "client" ? SpanKind.CLIENT : SpanKind.INTERNAL,
            startTime: hrTime(draft.startMs),
            attributes: draft.attributes,
          },
          parent,
        );
        if (draft.failed) span.setStatus({ code: SpanStatusCode.ERROR });
        span.end(hrTime(draft.endMs));
      }
      forced = undefined;
      return ended.splice(0);
    },
    send: (spans) =>
      new Promise((resolve, reject) => {
        const send = () => {
          exporter.export([...spans], (result) => {
            if (result.code === 0) resolve();
            else reject(result.error ?? new Error("export failed"));
          });
        };
        // The application's own SDK must not trace what this package sends.
        context.with(context.active().setValue(suppressTracing, true), () => untraced(send));
      }),
  };
}

/** Seconds and nanoseconds: a plain number would lose the fraction of a millisecond. */
function hrTime(ms: number): [number, number] {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.round((ms - seconds * 1000) * 1e6)];
}
