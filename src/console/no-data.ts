/** What to do when there is nothing to show yet. */

export const howToSendSome = [
  "Send some: point an OpenTelemetry exporter at it (OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318),",
  "or replay a recorded trace: burnwatch replay src/replay/data/AzureLLMInferenceTrace_conv.csv.gz",
  "",
].join("\n");
