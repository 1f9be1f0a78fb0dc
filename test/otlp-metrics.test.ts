/** OTLP metrics against a real server: what SDKs send arrives, and spans that did not come are noticed. */

import { randomBytes } from "node:crypto";
import { ValueType } from "@opentelemetry/api";
import { OTLPMetricExporter as GrpcExporter } from "@opentelemetry/exporter-metrics-otlp-grpc";
import { OTLPMetricExporter as ProtobufExporter } from "@opentelemetry/exporter-metrics-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  AggregationTemporality,
  MeterProvider,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from "@opentelemetry/sdk-metrics";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Burnwatch, burnwatch, settle, sql, startBurnwatch } from "./support/burnwatch.ts";

let server: Burnwatch;
beforeAll(async () => {
  server = await startBurnwatch();
});
afterAll(() => server.remove());

function meterOf(service: string, exporter: PushMetricExporter) {
  const provider = new MeterProvider({
    resource: resourceFromAttributes({ "service.name": service, "service.instance.id": `${service}-1` }),
    readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })],
  });
  return { provider, meter: provider.getMeter("gen-ai", "1.0") };
}

const chat = {
  "gen_ai.operation.name": "chat",
  "gen_ai.provider.name": "openai",
  "gen_ai.request.model": "gpt-4o",
};

it("keeps readings of model instances by minute, from real SDKs over both protocols", async () => {
  const exporters = {
    grpc: new GrpcExporter({ url: server.grpcUrl }),
    protobuf: new ProtobufExporter({ url: `${server.otlpUrl}/v1/metrics` }),
  };
  for (const [service, exporter] of Object.entries(exporters)) {
    const { provider, meter } = meterOf(service, exporter);
    meter.createObservableGauge("hw.gpu.utilization", { unit: "1" }).addCallback((result) => {
      result.observe(0.25, { "hw.id": "gpu-0" });
      result.observe(0.75, { "hw.id": "gpu-1" });
    });
    const generated = meter.createCounter("vllm:generation_tokens_total", { valueType: ValueType.INT });
    meter.createCounter("http.server.requests").add(1);
    generated.add(40, { model_name: "llama" });
    await provider.forceFlush();
    generated.add(2, { model_name: "llama" });
    await provider.forceFlush();
    await provider.shutdown();
    const rows = await sql(
      server.apiUrl,
      `SELECT name, device, model, instance, min(min) AS least, max(max) AS most, sum(sum) AS grown, argMax(last, minute) AS newest
       FROM resource_metrics WHERE service = '${service}' GROUP BY ALL ORDER BY name, device`,
    );
    const instance = `${service}-1`;
    const gpu = { name: "hw.gpu.utilization", model: "", instance };
    expect(rows).toEqual([
      { ...gpu, device: "gpu-0", least: 0.25, most: 0.25, grown: expect.anything(), newest: 0.25 },
      { ...gpu, device: "gpu-1", least: 0.75, most: 0.75, grown: expect.anything(), newest: 0.75 },
      expect.objectContaining({ name: "vllm:generation_tokens_total", model: "llama", grown: 42, newest: 42 }),
    ]);
  }
  const metrics = await (await fetch(`${server.apiUrl}/metrics`)).text();
  expect(metrics).toMatch(/otlp_requests_total\{protocol="grpc",telemetry="metrics",status="OK"\} [1-9]/);
  expect(metrics).toMatch(/otlp_requests_total\{protocol="http",telemetry="metrics",status="200"\} [1-9]/);
  expect(metrics).toMatch(/burnwatch_metric_points_other_total [1-9]/);
});

const minutesAgo = (minutes: number) => `${Date.now() - minutes * 60_000}000000`;

function attributes(values: Readonly<Record<string, string>>) {
  return Object.entries(values).map(([key, value]) => ({ key, value: { stringValue: value } }));
}

async function postJson(path: string, body: unknown): Promise<{ status: number; body: Record<string, unknown> }> {
  const answer = await fetch(`${server.otlpUrl}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

function tokenUsage(service: string, sum: number, tokenType = "input") {
  const point = {
    attributes: attributes({ ...chat, "gen_ai.token.type": tokenType }),
    startTimeUnixNano: minutesAgo(20),
    timeUnixNano: minutesAgo(5),
    count: "10",
    sum,
  };
  const histogram = { aggregationTemporality: AggregationTemporality.DELTA + 1, dataPoints: [point] };
  return {
    resourceMetrics: [
      {
        resource: { attributes: attributes({ "service.name": service }) },
        scopeMetrics: [{ scope: { name: "app" }, metrics: [{ name: "gen_ai.client.token.usage", histogram }] }],
      },
    ],
  };
}

function spans(service: string, calls: number, inputTokens: number) {
  const list = Array.from({ length: calls }, () => ({
    traceId: randomBytes(16).toString("hex"),
    spanId: randomBytes(8).toString("hex"),
    name: "chat",
    startTimeUnixNano: minutesAgo(11),
    endTimeUnixNano: minutesAgo(10),
    attributes: attributes({ ...chat, "gen_ai.usage.input_tokens": String(inputTokens) }),
  }));
  const resource = { attributes: attributes({ "service.name": service }) };
  return { resourceSpans: [{ resource, scopeSpans: [{ spans: list }] }] };
}

it("notices spans that did not come, in the API, the doctor and the trust line", { timeout: 60_000 }, async () => {
  await postJson("/v1/traces", spans("whole", 10, 1000));
  await postJson("/v1/traces", spans("holed", 9, 1000));
  for (const service of ["whole", "holed"])
    expect(await postJson("/v1/metrics", tokenUsage(service, 10_400))).toEqual({ status: 200, body: {} });
  await settle(server.apiUrl);
  const asked = await fetch(`${server.apiUrl}/api/v1/completeness`);
  const { tokens, missing_spans: text } = (await asked.json()) as {
    tokens: Record<string, unknown>[];
    missing_spans: string;
  };
  expect(tokens).toMatchObject([
    { service: "holed", token_type: "input", claimed_tokens: 10_400, span_tokens: 9000, spans_missing: true },
    { service: "whole", token_type: "input", claimed_tokens: 10_400, span_tokens: 10_000, spans_missing: false },
  ]);
  expect(tokens[0]).toMatchObject({ claimed_calls: 10, span_calls: 9 });
  expect(text).toBe("metrics say 16 % more input tokens than spans of service holed");
  const environment = { BURNWATCH_URL: server.apiUrl };
  const doctor = await burnwatch(["doctor"], environment);
  expect(doctor.stdout).toContain(`warn  tokens: ${text}`);
  const cost = await burnwatch(["cost", "--by", "service"], environment);
  expect(cost.stdout).toContain(`· ${text}`);
  const selected = await burnwatch(["sql", "SELECT 1"], environment);
  expect(selected.stdout).toContain(`· ${text}`);
});

it("answers bad points one by one, bad requests whole, and logs with what is taken", async () => {
  const bad = tokenUsage("bad", 100);
  const points = bad.resourceMetrics[0]?.scopeMetrics[0]?.metrics[0]?.histogram.dataPoints as Record<string, unknown>[];
  points.push({ ...points[0], sum: -1 }, { ...points[0], timeUnixNano: "0" }, { ...points[0], count: "many" });
  expect(await postJson("/v1/metrics", bad)).toEqual({
    status: 200,
    body: {
      partialSuccess: {
        rejectedDataPoints: "3",
        errorMessage:
          "data point 1: a histogram must carry a sum and a count from 0 to 2^53; data point 2: its time must be set; " +
          "data point 3: count: expected a decimal string, got other text",
      },
    },
  });
  expect(await postJson("/v1/metrics", { resourceMetrics: 5 })).toEqual({
    status: 400,
    body: { code: 3, message: "resourceMetrics: expected an array, got number" },
  });
  const logs = await postJson("/v1/logs", {});
  expect(logs).toEqual({
    status: 404,
    body: {
      code: 5,
      message: "no such path: /v1/logs; traces are taken at /v1/traces, metrics are taken at /v1/metrics",
    },
  });
});

it("keeps acknowledged points through kill -9, and a repeat after it changes nothing", async () => {
  const claim = tokenUsage("killed", 500);
  await postJson("/v1/metrics", claim);
  await server.kill();
  await server.start();
  await postJson("/v1/metrics", claim);
  const rows = await sql(
    server.apiUrl,
    "SELECT sum(tokens) AS tokens, count() AS claims FROM token_claims FINAL WHERE service = 'killed'",
  );
  expect(rows).toEqual([{ tokens: 500, claims: 1 }]);
});
