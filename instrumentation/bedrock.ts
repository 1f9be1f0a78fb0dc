/**
 * Amazon Bedrock, where the application has installed `@opentelemetry/instrumentation-aws-sdk`: its spans of model calls
 * become records. Its usage is what it reads: no cache counts, and for some models of Cohere and Mistral an estimate.
 */

import { createRequire } from "node:module";
import { join } from "node:path";
import { activeSpan, type SpanIds } from "./ambient.ts";
import { attributionAttributes, currentAttribution } from "./attribution.ts";
import { nowMs } from "./begin-call.ts";
import { asCount, asLabel } from "./clients/json.ts";
import type { Pipeline, SpanDraft } from "./delivery/pipeline.ts";
import type { Runtime } from "./runtime.ts";
import type { SpanAttributes } from "./span-attributes.ts";

const peer = "@opentelemetry/instrumentation-aws-sdk";
const noIds: SpanIds = { traceId: "0".repeat(32), spanId: "0".repeat(16), traceFlags: 0 };

/** Enables the peer package if the application has it. True when it is on. Its spans reach nobody but the pipeline. */
export function watchBedrock(runtime: Runtime, pipeline: Pipeline, directory: string): boolean {
  try {
    const loaded = createRequire(join(directory, "package.json"))(peer) as {
      AwsInstrumentation: new () => { setTracerProvider(provider: object): void };
    };
    const tracer = {
      startSpan: (name: string, options?: StartOptions) =>
        recordOnEnd(name, options, (draft) => {
          runtime.counters.calls += 1;
          pipeline.record(draft);
        }),
    };
    new loaded.AwsInstrumentation().setTracerProvider({ getTracer: () => tracer });
    return true;
  } catch {
    return false;
  }
}

interface StartOptions {
  readonly attributes?: Readonly<Record<string, unknown>>;
}

/** The part of OpenTelemetry's Span that the peer uses. Spans of other services of AWS end in nothing. */
function recordOnEnd(name: string, options: StartOptions | undefined, record: (draft: SpanDraft) => void): object {
  const attributes: Record<string, unknown> = { ...options?.attributes };
  const startMs = nowMs();
  const parent = activeSpan();
  const attribution = attributionAttributes(currentAttribution());
  let failed: string | undefined;
  let ended = false;
  const span = {
    spanContext: () => noIds,
    isRecording: () => true,
    setAttribute(key: string, value: unknown) {
      attributes[key] = value;
      return span;
    },
    setAttributes(more: object) {
      Object.assign(attributes, more);
      return span;
    },
    addEvent: () => span,
    addLink: () => span,
    addLinks: () => span,
    updateName: () => span,
    setStatus(status: { code?: number }) {
      if (status.code === 2) failed ??= "Error";
      return span;
    },
    recordException(error: { name?: unknown }) {
      failed = asLabel(error?.name) ?? "Error";
    },
    end() {
      if (ended || asLabel(attributes["gen_ai.operation.name"]) === undefined) return;
      ended = true;
      const kept = { ...keptAttributes(attributes), ...attribution };
      if (failed !== undefined) kept["error.type"] = failed;
      const endMs = nowMs();
      record({
        name,
        kind: "client",
        startMs,
        endMs,
        attributes: kept,
        failed: failed !== undefined,
        parent: parent?.ids,
        identity: undefined,
      });
    },
  };
  return span;
}

/** Counts and labels only, by name: the peer may be told to capture more. */
function keptAttributes(attributes: Readonly<Record<string, unknown>>): SpanAttributes {
  const kept: SpanAttributes = { "gen_ai.provider.name": "aws.bedrock" };
  for (const key of ["gen_ai.operation.name", "gen_ai.request.model", "gen_ai.response.model", "gen_ai.response.id"]) {
    const label = asLabel(attributes[key]);
    if (label !== undefined) kept[key] = label;
  }
  for (const key of ["gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"]) {
    const count = asCount(attributes[key]);
    if (count !== undefined) kept[key] = count;
  }
  const reasons = attributes["gen_ai.response.finish_reasons"];
  if (Array.isArray(reasons)) {
    const labels = reasons.map(asLabel).filter((label) => label !== undefined);
    if (labels.length > 0) kept["gen_ai.response.finish_reasons"] = labels;
  }
  return kept;
}
