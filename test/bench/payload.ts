/**
 * Export requests as a busy application sends them: GenAI spans with 22 attributes under a resource with 10, five to a
 * trace, of 50 tenants, 10 features and 4 models. Ids are random; two of the attributes hold prompts.
 */

import { randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import type { OtlpAny, OtlpAttribute, OtlpRequest, OtlpSpan } from "../../src/ingest/otlp-oracle.ts";
import { seededRandom } from "../../src/store/sample-records.ts";
import { encodeProtobufRequest } from "./otlp-writer.ts";

/** `protobuf` is gzipped, as collectors send it; `json` is plain, as OpenTelemetry's JavaScript exporter does by default. */
export type PayloadFormat = "protobuf" | "json";

export interface BodiesOptions {
  readonly format: PayloadFormat;
  readonly bodies: number;
  readonly spansPerBody: number;
}

export const payloadHeaders: Readonly<Record<PayloadFormat, Readonly<Record<string, string>>>> = {
  protobuf: { "content-type": "application/x-protobuf", "content-encoding": "gzip" },
  json: { "content-type": "application/json" },
};

/** Bodies as they go over the wire, their spans around now. */
export function payloadBodies({ format, bodies, spansPerBody }: BodiesOptions): Buffer[] {
  const random = seededRandom(1);
  return Array.from({ length: bodies }, () => {
    const request = payloadRequest(spansPerBody, Date.now(), random);
    return format === "json" ? Buffer.from(JSON.stringify(request)) : gzipSync(encodeProtobufRequest(request));
  });
}

/** One request whose spans ended in the second before `atMs`. */
export function payloadRequest(spans: number, atMs: number, random: () => number): OtlpRequest {
  const below = (count: number) => Math.floor(random() * count);
  let traceId = "";
  const list = Array.from({ length: spans }, (_, index) => {
    if (index % 5 === 0) traceId = hex(16);
    return payloadSpan({ traceId, endMs: atMs - below(1000), below });
  });
  const scope = { name: "@opentelemetry/instrumentation-openai", version: "0.21.0" };
  return { resourceSpans: [{ resource: { attributes: resourceAttributes }, scopeSpans: [{ scope, spans: list }] }] };
}

const models = [
  { provider: "openai", request: "gpt-4o", response: "gpt-4o-2024-08-06" },
  { provider: "openai", request: "gpt-4o-mini", response: "gpt-4o-mini-2024-07-18" },
  { provider: "anthropic", request: "claude-sonnet-4-5", response: "claude-sonnet-4-5-20250929" },
  { provider: "openai", request: "o3", response: "o3-2025-04-16" },
] as const;

interface SpanDraft {
  readonly traceId: string;
  readonly endMs: number;
  readonly below: (count: number) => number;
}

function payloadSpan({ traceId, endMs, below }: SpanDraft): OtlpSpan {
  const model = models[below(models.length)] ?? models[0];
  const endNano = BigInt(endMs) * 1_000_000n + BigInt(below(1_000_000));
  return {
    traceId,
    spanId: hex(8),
    parentSpanId: hex(8),
    flags: 257,
    name: `chat ${model.request}`,
    kind: 3,
    startTimeUnixNano: String(endNano - BigInt(below(2 ** 24)) * 1000n),
    endTimeUnixNano: String(endNano),
    attributes: spanAttributes(model, below),
    status: {},
  };
}

function spanAttributes(model: (typeof models)[number], below: (count: number) => number): OtlpAttribute[] {
  const prompt = `[{"role":"user","parts":[{"type":"text","content":"Question ${below(1e6)}"}]}]`;
  const input = below(20_000);
  return attributesOf({
    "gen_ai.operation.name": { stringValue: "chat" },
    "gen_ai.provider.name": { stringValue: model.provider },
    "gen_ai.request.model": { stringValue: model.request },
    "gen_ai.response.model": { stringValue: model.response },
    "gen_ai.response.id": { stringValue: `chatcmpl-${hex(14)}` },
    "gen_ai.response.finish_reasons": { arrayValue: { values: [{ stringValue: "stop" }] } },
    "gen_ai.request.temperature": { doubleValue: 0.7 },
    "gen_ai.request.max_tokens": { intValue: "4096" },
    "gen_ai.usage.input_tokens": { intValue: String(input) },
    "gen_ai.usage.output_tokens": { intValue: String(1000 + below(3000)) },
    "gen_ai.usage.cache_read.input_tokens": { intValue: String(below(input + 1)) },
    "gen_ai.usage.reasoning.output_tokens": { intValue: String(below(1000)) },
    "gen_ai.conversation.id": { stringValue: hex(8) },
    "gen_ai.input.messages": { stringValue: prompt },
    "gen_ai.output.messages": { stringValue: prompt },
    "server.address": { stringValue: "api.openai.com" },
    "server.port": { intValue: "443" },
    "burnwatch.tenant": { stringValue: `tenant-${below(50)}` },
    "burnwatch.feature": { stringValue: `feature-${below(10)}` },
    "burnwatch.run.id": { stringValue: `run-${hex(4)}` },
    "user.id": { stringValue: `user-${below(5000)}` },
    "session.id": { stringValue: hex(8) },
  });
}

const resourceAttributes = attributesOf({
  "service.name": { stringValue: "support-bot" },
  "service.version": { stringValue: "3.14.1" },
  "service.instance.id": { stringValue: "9f0b1c2d-1111-2222-3333-444455556666" },
  "deployment.environment.name": { stringValue: "production" },
  "telemetry.sdk.name": { stringValue: "opentelemetry" },
  "telemetry.sdk.language": { stringValue: "nodejs" },
  "telemetry.sdk.version": { stringValue: "2.3.0" },
  "host.name": { stringValue: "ip-10-0-13-37" },
  "process.pid": { intValue: "4242" },
  "process.runtime.version": { stringValue: "24.21.0" },
});

export function attributesOf(values: Readonly<Record<string, OtlpAny>>): OtlpAttribute[] {
  return Object.entries(values).map(([key, value]) => ({ key, value }));
}

function hex(bytes: number): string {
  return randomBytes(bytes).toString("hex");
}
