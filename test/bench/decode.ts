/** How fast OTLP bodies become spans, per core. Run directly, it prints the table. */

import { pathToFileURL } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";
import { defaultDecodeLimits, type SpanFilter } from "../../src/ingest/decoded-export.ts";
import { decodeJsonExport } from "../../src/ingest/otlp-json.ts";
import { encodeOracle, type OtlpAny, type OtlpAttribute, type OtlpRequest } from "../../src/ingest/otlp-oracle.ts";
import { decodeProtobufExport } from "../../src/ingest/otlp-protobuf.ts";

const spansPerBody = 500;
const bodiesPerRound = 60;
const rounds = 7;
/** As the receiver inflates. */
const inflating = { chunkSize: 256 * 1024 };

/** What an allow-list keeps: of the 22 attributes of a span all but two, which hold prompts. */
const filter: SpanFilter = {
  keepsAttribute: (key) => !key.endsWith(".messages"),
  keepsSpan: (span) => "gen_ai.request.model" in span.attributes,
};

/**
 * Decodes one body of 500 spans with 22 attributes each and 10 of their resource, again and again on one core.
 * `cpu_us_per_span` and its inverse hold on a busy machine too,
 * `spans_per_s` is by the clock on the wall; all are medians of seven rounds.
 */
export async function benchDecode(): Promise<{ rows: Array<Record<string, string | number>> }> {
  const request = payload();
  const protobuf = Buffer.from(encodeOracle(request));
  const json = Buffer.from(JSON.stringify(request));
  const [gzipProtobuf, gzipJson] = [gzipSync(protobuf), gzipSync(json)];
  const limits = defaultDecodeLimits;
  const rows = [
    measure("protobuf", protobuf, () => decodeProtobufExport(protobuf, limits, filter).spans.length),
    measure(
      "gunzip + protobuf",
      gzipProtobuf,
      () => decodeProtobufExport(gunzipSync(gzipProtobuf, inflating), limits, filter).spans.length,
    ),
    measure("JSON", json, () => decodeJsonExport(json, limits, filter).spans.length),
    measure(
      "gunzip + JSON",
      gzipJson,
      () => decodeJsonExport(gunzipSync(gzipJson, inflating), limits, filter).spans.length,
    ),
  ];
  return { rows };
}

function measure(decoder: string, body: Buffer, decode: () => number): Record<string, string | number> {
  const cpuUs: number[] = [];
  const wallUs: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const cpu = process.cpuUsage();
    const wall = process.hrtime.bigint();
    let spans = 0;
    for (let i = 0; i < bodiesPerRound; i++) spans += decode();
    if (spans !== spansPerBody * bodiesPerRound) throw new Error(`${decoder}: decoded ${spans} spans`);
    // The first round warms up.
    if (round === 0) continue;
    const used = process.cpuUsage(cpu);
    cpuUs.push((used.user + used.system) / spans);
    wallUs.push(Number(process.hrtime.bigint() - wall) / 1000 / spans);
  }
  return {
    decoder,
    wire_bytes_per_span: Math.round(body.length / spansPerBody),
    cpu_us_per_span: Number(median(cpuUs).toFixed(2)),
    spans_per_cpu_s: Math.round(1e6 / median(cpuUs)),
    spans_per_s: Math.round(1e6 / median(wallUs)),
  };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

function payload(): OtlpRequest {
  let seed = 1;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % below;
  };
  const id = (bytes: number) =>
    Array.from({ length: bytes }, () => (1 + random(255)).toString(16).padStart(2, "0")).join("");
  let traceId = id(16);
  const spans = Array.from({ length: spansPerBody }, (_, i) => {
    if (i % 5 === 0) traceId = id(16);
    const start = 1_790_000_000_000_000_000n + BigInt(i) * 1_234_567n;
    return {
      traceId,
      spanId: id(8),
      parentSpanId: id(8),
      flags: 257,
      name: "chat gpt-4o",
      kind: 3,
      startTimeUnixNano: String(start),
      endTimeUnixNano: String(start + BigInt(random(2 ** 24)) * 1000n),
      attributes: spanAttributes(random, id),
      status: {},
    };
  });
  const scope = { name: "@opentelemetry/instrumentation-openai", version: "0.21.0" };
  return { resourceSpans: [{ resource: { attributes: resourceAttributes }, scopeSpans: [{ scope, spans }] }] };
}

function spanAttributes(random: (below: number) => number, id: (bytes: number) => string): OtlpAttribute[] {
  const model = ["gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5", "o3"][random(4)] ?? "";
  const prompt = `[{"role":"user","parts":[{"type":"text","content":"Question ${random(1e6)}"}]}]`;
  return attributesOf({
    "gen_ai.operation.name": { stringValue: "chat" },
    "gen_ai.provider.name": { stringValue: "openai" },
    "gen_ai.request.model": { stringValue: model },
    "gen_ai.response.model": { stringValue: `${model}-2024-08-06` },
    "gen_ai.response.id": { stringValue: `chatcmpl-${id(14)}` },
    "gen_ai.response.finish_reasons": { arrayValue: { values: [{ stringValue: "stop" }] } },
    "gen_ai.request.temperature": { doubleValue: 0.7 },
    "gen_ai.request.max_tokens": { intValue: "4096" },
    "gen_ai.usage.input_tokens": { intValue: String(random(20_000)) },
    "gen_ai.usage.output_tokens": { intValue: String(random(4000)) },
    "gen_ai.usage.cache_read.input_tokens": { intValue: String(random(10_000)) },
    "gen_ai.usage.reasoning.output_tokens": { intValue: String(random(1000)) },
    "gen_ai.conversation.id": { stringValue: id(8) },
    "gen_ai.input.messages": { stringValue: prompt },
    "gen_ai.output.messages": { stringValue: prompt },
    "server.address": { stringValue: "api.openai.com" },
    "server.port": { intValue: "443" },
    "burnwatch.tenant": { stringValue: `tenant-${random(50)}` },
    "burnwatch.feature": { stringValue: `feature-${random(10)}` },
    "burnwatch.streaming": { boolValue: random(2) === 1 },
    "user.id": { stringValue: `user-${random(5000)}` },
    "session.id": { stringValue: id(8) },
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

function attributesOf(values: Readonly<Record<string, OtlpAny>>): OtlpAttribute[] {
  return Object.entries(values).map(([key, value]) => ({ key, value }));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { rows } = await benchDecode();
  const header = Object.keys(rows[0] ?? {});
  for (const row of [header, ...rows.map((row) => Object.values(row).map(String))])
    process.stdout.write(`${row.map((cell, i) => cell.padEnd(i === 0 ? 20 : 22)).join("")}\n`);
}
