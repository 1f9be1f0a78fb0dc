/** `@opentelemetry/sdk-node` as the application's own SDK, for one that has none and asks for it. */

import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { NodeSDK } from "@opentelemetry/sdk-node";

/**
 * Starts it under the standard `OTEL_*` variables and returns how to stop it. Spans of the application then give
 * calls of models their parents; calls themselves still go through the private provider, whatever the sampler says.
 */
export function startNodeSdk(serviceName: string): () => Promise<void> {
  const sdk = new NodeSDK({
    serviceName,
    traceExporter: new OTLPTraceExporter(),
    // Burnwatch takes traces only.
    metricReaders: [],
    logRecordProcessors: [],
  });
  sdk.start();
  return () => sdk.shutdown();
}
