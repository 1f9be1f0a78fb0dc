/** Which metrics are kept, and which of their attributes. */

import type { MetricFilter } from "./decoded-metrics.ts";

/** OpenTelemetry's histogram of tokens by call (semantic-conventions-genai); the cross-check of completeness reads it. */
export const tokenUsageMetric = "gen_ai.client.token.usage";

/**
 * OpenTelemetry's hardware conventions, NVIDIA's DCGM exporter and vLLM's own names, the last two as a collector's
 * Prometheus receiver hands them on.
 */
const resourcePrefixes = ["hw.gpu.", "DCGM_FI_", "vllm:"];
const resourceNames = new Set(["hw.power", "hw.energy", "hw.temperature"]);
const nameLengthMax = 200;

/** Token usage comes as a histogram, readings come as numbers; histograms of model servers are passed over. */
export const keepsMetric: MetricFilter = (name) => {
  if (name === tokenUsageMetric) return "histograms";
  if (name.length > nameLengthMax) return null;
  return resourceNames.has(name) || resourcePrefixes.some((prefix) => name.startsWith(prefix)) ? "numbers" : null;
};

/** Where an instance's name is looked for, first on the point, then on the resource. */
export const instanceKeys = {
  point: ["Hostname", "instance"],
  resource: ["service.instance.id", "k8s.pod.uid", "k8s.pod.name", "host.name", "host.id", "server.address"],
} as const;

/** Of these the first that is present names the device, or the model. */
export const deviceKeys = ["UUID", "hw.id", "gpu", "device"];
export const modelKeys = ["gen_ai.response.model", "gen_ai.request.model", "model_name"];

/** Attributes of readings that are stored as labels; the rest only tells series apart. */
export const labelKeys = [
  "GPU_I_ID",
  "GPU_I_PROFILE",
  "container",
  "engine",
  "finished_reason",
  "gpu",
  "hw.gpu.task",
  "hw.name",
  "hw.parent",
  "hw.state",
  "hw.type",
  "modelName",
  "namespace",
  "pod",
];

/** Resource attributes that tell producers apart. */
export const identityKeys = [
  "service.namespace",
  "service.name",
  ...instanceKeys.resource,
  "server.port",
  "process.pid",
  "k8s.node.name",
];
