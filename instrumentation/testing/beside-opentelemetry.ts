/** Another OpenTelemetry SDK in the application, with its own exporter and everything sampled. */

import { NodeSDK } from "@opentelemetry/sdk-node";
import { InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace";

new NodeSDK({
  spanProcessors: [new SimpleSpanProcessor({ exporter: new InMemorySpanExporter() })],
  metricReaders: [],
  logRecordProcessors: [],
}).start();
