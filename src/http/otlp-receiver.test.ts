import { once } from "node:events";
import { createServer, request as httpRequest, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { afterEach, describe, expect, it } from "vitest";
import type { AcceptOutcome, Producer } from "../ingest/accept-outcome.ts";
import { decodeOracle, encodeOracle, type OtlpRequest } from "../ingest/otlp-oracle.ts";
import type { Span } from "../model/span.ts";
import type { OtlpRequestEvent } from "./otlp-signal.ts";
import { type FaceOptions, type HttpHandler, httpHandler, spansOf } from "./otlp-test-faces.ts";

const span = { traceId: "01".repeat(16), spanId: "02".repeat(8), name: "chat" };
const attributes = [{ key: "gen_ai.operation.name", value: { stringValue: "chat" } }];
const request: OtlpRequest = { resourceSpans: [{ scopeSpans: [{ spans: [{ ...span, attributes }] }] }] };
const bodies = { json: Buffer.from(JSON.stringify(request)), protobuf: Buffer.from(encodeOracle(request)) };
const json = "application/json";
const protobuf = "application/x-protobuf";

let server: Server | undefined;
let handler: HttpHandler | undefined;
afterEach(async () => {
  server?.closeAllConnections();
  server?.close();
  await handler?.close();
});

interface Running {
  readonly port: number;
  readonly exports: (readonly Span[])[];
  readonly producers: Producer[];
  readonly events: OtlpRequestEvent[];
  readonly reports: unknown[];
}

async function start(outcome: () => AcceptOutcome = accepted, options: FaceOptions = {}): Promise<Running> {
  const running = { exports: [] as (readonly Span[])[], producers: [] as Producer[], events: [] as OtlpRequestEvent[] };
  const reports: unknown[] = [];
  handler = httpHandler({
    accept: async (received, producer) => {
      running.exports.push(spansOf(received));
      running.producers.push(producer);
      return outcome();
    },
    filter: { keepsAttribute: () => true, keepsSpan: (found) => found.name.startsWith("chat") },
    observe: (event) => running.events.push(event),
    report: (error) => reports.push(error),
    ...options,
  });
  server = createServer(handler.handle).listen(0, "127.0.0.1");
  await once(server, "listening");
  return { ...running, reports, port: (server.address() as AddressInfo).port };
}

function accepted(): AcceptOutcome {
  return { kind: "accepted", rejected: [] };
}

interface Reply {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

async function send(port: number, headers: Record<string, string>, body: Buffer, method = "POST"): Promise<Reply> {
  const outgoing = httpRequest({ port, path: "/v1/traces", method, headers });
  outgoing.end(body);
  const [response] = await once(outgoing, "response");
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) };
}

describe("POST /v1/traces", () => {
  it.each([
    [json, bodies.json, "{}"],
    ["Application/JSON; charset=utf-8", bodies.json, "{}"],
    [protobuf, bodies.protobuf, ""],
  ])("answers 200 in the encoding of the request: %s", async (contentType, body, expected) => {
    const { port, exports, events, producers } = await start();
    const reply = await send(port, { "content-type": contentType, "user-agent": "test/1" }, body);
    expect(reply.status).toBe(200);
    expect(reply.headers["content-type"]).toBe(contentType === protobuf ? protobuf : json);
    expect(reply.body.toString()).toBe(expected);
    expect(exports[0]?.[0]).toMatchObject(span);
    expect(producers).toEqual([{ address: "127.0.0.1", userAgent: "test/1" }]);
    const bytes = { wireBytes: body.length, inflatedBytes: body.length };
    const said = { protocol: "http", telemetry: "traces", status: 200 };
    expect(events).toEqual([{ ...said, kept: 1, other: 0, rejected: 0, ...bytes }]);
  });

  it.each([
    ["gzip", gzipSync],
    ["X-GZIP", gzipSync],
    ["deflate", deflateSync],
    ["zstd", zstdCompressSync],
    ["identity", (body: Buffer) => body],
  ])("inflates %s, small and large", async (coding, compress) => {
    const { port, exports, events } = await start();
    const noise = Array.from({ length: 40_000 }, (_, i) => Math.sin(i).toString(36)).join("");
    const large = Buffer.from(JSON.stringify({ ...request, unknown: noise }));
    expect(gzipSync(large).length).toBeGreaterThan(256 * 1024);
    for (const body of [bodies.json, large]) {
      const wire = compress(body);
      const reply = await send(port, { "content-type": json, "content-encoding": coding }, wire);
      expect([reply.status, reply.body.toString()]).toEqual([200, "{}"]);
      expect(events.at(-1)).toMatchObject({ wireBytes: wire.length, inflatedBytes: body.length, kept: 1 });
    }
    expect(exports).toHaveLength(2);
  });

  it("takes an empty request as a success", async () => {
    const { port } = await start();
    expect((await send(port, { "content-type": protobuf }, Buffer.alloc(0))).status).toBe(200);
    expect((await send(port, { "content-type": json }, Buffer.from("{}"))).status).toBe(200);
  });

  it("is understood by the exporter that applications use", async () => {
    const { port, exports } = await start();
    const exporter = new OTLPTraceExporter({ url: `http://127.0.0.1:${port}/v1/traces` });
    const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
    provider.getTracer("app", "1.0").startSpan("chat gpt-4o").setAttribute("gen_ai.usage.input_tokens", 12).end();
    await provider.shutdown();
    expect(exports[0]?.[0]).toMatchObject({ name: "chat gpt-4o", scope: "app@1.0" });
    expect(exports[0]?.[0]?.attributes).toEqual({ "gen_ai.usage.input_tokens": 12 });
  });

  it.each([json, protobuf])("reports rejected spans as partial success: %s", async (contentType) => {
    const bad = Array.from({ length: 9 }, (_, i) => ({ ...span, [i < 3 ? "traceId" : "spanId"]: "00" }));
    const mixed: OtlpRequest = {
      resourceSpans: [{ scopeSpans: [{ spans: [span, ...bad, { ...span, name: "GET" }] }] }],
    };
    const { port, events } = await start(() => ({
      kind: "accepted",
      rejected: [{ index: 0, reason: "it is older than the identity horizon" }],
    }));
    const body = contentType === json ? Buffer.from(JSON.stringify(mixed)) : Buffer.from(encodeOracle(mixed));
    const reply = await send(port, { "content-type": contentType }, body);
    expect(reply.status).toBe(200);
    const answer =
      contentType === json ? JSON.parse(reply.body.toString()) : decodeOracle("ExportTraceServiceResponse", reply.body);
    const hex = contentType === json ? ", in hex" : "";
    expect(answer).toEqual({
      partialSuccess: {
        rejectedSpans: "10",
        errorMessage:
          `3 spans, the first at 1: the trace id must be 16 bytes, not all zero${hex}; ` +
          `6 spans, the first at 4: the span id must be 8 bytes, not all zero${hex}; ` +
          "span 0: it is older than the identity horizon",
      },
    });
    expect(events[0]).toMatchObject({ status: 200, kept: 1, other: 1, rejected: 10 });
  });

  it("keeps the partial success message short, however many reasons there are", async () => {
    const many = Array.from({ length: 500 }, (_, index) => ({ index, reason: `reason ${index} ${"x".repeat(1000)}` }));
    const { port } = await start(() => ({ kind: "accepted", rejected: many }));
    const reply = await send(port, { "content-type": json }, bodies.json);
    const { partialSuccess } = JSON.parse(reply.body.toString());
    expect(partialSuccess.rejectedSpans).toBe("500");
    expect(partialSuccess.errorMessage).toContain("495 spans for other reasons");
    expect(partialSuccess.errorMessage.length).toBeLessThan(2000);
  });

  it.each([json, protobuf])("answers 400 with a Status to what cannot be decoded: %s", async (contentType) => {
    const { port, exports, reports } = await start();
    const reply = await send(port, { "content-type": contentType }, Buffer.from("[broken"));
    expect(reply.status).toBe(400);
    expect(reply.headers["content-type"]).toBe(contentType);
    const status = contentType === json ? JSON.parse(reply.body.toString()) : decodeOracle("RpcStatus", reply.body);
    expect(status).toEqual({ code: 3, message: expect.stringMatching(/^expected a/) });
    expect([exports, reports]).toEqual([[], []]);
  });

  it.each(["gzip", "deflate", "zstd"])("answers 400 to a body that is not %s", async (coding) => {
    const { port } = await start();
    for (const body of [bodies.json, Buffer.alloc(300_000, 7), gzipSync(bodies.json).subarray(0, 30)]) {
      const reply = await send(port, { "content-type": json, "content-encoding": coding }, body);
      expect(reply.status).toBe(400);
      expect(JSON.parse(reply.body.toString()).message).toContain(`the body is not ${coding}`);
    }
  });

  it("answers 405 to other methods and 415 to other types and codings, and keeps the connection", async () => {
    const { port, events } = await start();
    const get = await send(port, {}, Buffer.alloc(0), "GET");
    expect([get.status, get.headers.allow, get.headers["content-type"]]).toEqual([405, "POST", json]);
    const text = await send(port, { "content-type": "text/plain" }, bodies.json);
    expect([text.status, JSON.parse(text.body.toString()).code]).toEqual([415, 3]);
    expect((await send(port, {}, bodies.json)).status).toBe(415);
    for (const coding of ["br", "gzip, gzip"]) {
      const reply = await send(port, { "content-type": protobuf, "content-encoding": coding }, bodies.protobuf);
      expect([reply.status, reply.headers["content-type"], reply.headers.connection]).toEqual([
        415,
        protobuf,
        "keep-alive",
      ]);
      expect(reply.headers["accept-encoding"]).toContain("gzip");
    }
    expect(events.map(({ status }) => status)).toEqual([405, 415, 415, 415, 415]);
  });

  it("passes on overload and unavailability as retryable answers", async () => {
    const outcomes: AcceptOutcome[] = [
      { kind: "overloaded", retryAfterSeconds: 2.2 },
      { kind: "unavailable", retryAfterSeconds: 0, message: "Kafka is away" },
    ];
    const { port } = await start(() => outcomes.shift() ?? accepted());
    const overloaded = await send(port, { "content-type": protobuf }, bodies.protobuf);
    expect([overloaded.status, overloaded.headers["retry-after"]]).toEqual([429, "3"]);
    expect(decodeOracle("RpcStatus", overloaded.body)).toMatchObject({ code: 8 });
    const unavailable = await send(port, { "content-type": json }, bodies.json);
    expect([unavailable.status, unavailable.headers["retry-after"]]).toEqual([503, "1"]);
    expect(JSON.parse(unavailable.body.toString())).toEqual({ code: 14, message: "Kafka is away" });
  });

  it("tells the producer to retry when accept throws, and 500 when the filter does", async () => {
    const failure = new Error("disk on fire");
    const failing = await start(() => {
      throw failure;
    });
    const reply = await send(failing.port, { "content-type": json }, bodies.json);
    expect([reply.status, reply.headers["retry-after"]]).toEqual([503, "5"]);
    expect(reply.body.toString()).not.toContain("fire");
    expect(failing.reports).toEqual([failure]);
    server?.close();
    const keepsSpan = () => {
      throw failure;
    };
    const broken = await start(accepted, { filter: { keepsAttribute: () => true, keepsSpan } });
    for (const [contentType, body] of [[json, bodies.json] as const, [protobuf, bodies.protobuf] as const])
      expect((await send(broken.port, { "content-type": contentType }, body)).status).toBe(500);
    expect(broken.reports).toEqual([failure, failure]);
  });
});
