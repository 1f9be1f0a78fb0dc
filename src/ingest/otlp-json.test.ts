import { ROOT_CONTEXT, trace } from "@opentelemetry/api";
import { JsonTraceSerializer, ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { describe, expect, it } from "vitest";
import { type DecodedExport, defaultDecodeLimits, MalformedExportError, type SpanFilter } from "./decoded-export.ts";
import { decodeJsonExport } from "./otlp-json.ts";
import { encodeOracle, type OtlpSpan, oracleSpans } from "./otlp-oracle.ts";
import { decodeProtobufExport } from "./otlp-protobuf.ts";
import { randomRequest, seededRandom } from "./otlp-random.ts";

const keepAll: SpanFilter = { keepsAttribute: () => true, keepsSpan: () => true };
const ids = { traceId: "0102030405060708090A0b0c0d0e0f10", spanId: "a1a2a3a4a5a6a7A8" };

function decodeText(text: string, limits = {}): DecodedExport {
  return decodeJsonExport(Buffer.from(text), { ...defaultDecodeLimits, ...limits }, keepAll);
}

function decodeSpans(spans: readonly unknown[], limits = {}): DecodedExport {
  return decodeText(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] }), limits);
}

function decodeSpan(span: Readonly<Record<string, unknown>>): DecodedExport {
  return decodeSpans([{ ...ids, ...span }]);
}

function kept(value: unknown): unknown {
  const { spans, rejected } = decodeSpan({ attributes: [{ key: "k", value }] });
  return rejected[0]?.reason ?? spans[0]?.attributes["k"];
}

/** Spans as the SDK ends them, with what applications really set. */
async function sdkSpans() {
  const exporter = new InMemorySpanExporter();
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ "service.name": "support-bot", "process.pid": 42 }),
    spanProcessors: [new SimpleSpanProcessor({ exporter })],
  });
  const tracer = provider.getTracer("@burnwatch/instrumentation", "0.1.0");
  const parent = tracer.startSpan("agent", { startTime: [1_790_000_000, 123_456_789] });
  const child = tracer.startSpan("chat gpt-4o", {}, trace.setSpan(ROOT_CONTEXT, parent));
  child.setAttributes({
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 2006,
    "gen_ai.request.temperature": 0.7,
    "gen_ai.response.finish_reasons": ["stop", "length"],
    "gen_ai.request.stream": true,
    "gen_ai.input.messages": "secret",
  });
  child.addEvent("gen_ai.content", { content: "secret" });
  child.setStatus({ code: 2, message: "rate limited" });
  child.end();
  parent.end([1_790_000_001, 999]);
  await provider.forceFlush();
  return exporter.getFinishedSpans();
}

describe("decodeJsonExport", () => {
  it("agrees with the protobuf decoder and the oracle on random requests", () => {
    const random = seededRandom(77);
    for (let i = 0; i < 300; i++) {
      const request = randomRequest(random);
      const body = encodeOracle(request);
      const decoded = decodeText(JSON.stringify(request));
      expect(decoded).toEqual(decodeProtobufExport(body, defaultDecodeLimits, keepAll));
      expect(decoded.spans).toEqual(oracleSpans(body, (key) => key !== "" && key !== "__proto__"));
    }
  });

  it("agrees with the protobuf decoder on requests that break limits", () => {
    const random = seededRandom(78);
    const limits = { ...defaultDecodeLimits, attributesPerSpanMax: 6, attributeBytesMax: 20, depthMax: 3, spansMax: 8 };
    let rejected = 0;
    for (let i = 0; i < 300; i++) {
      const request = randomRequest(random);
      // Where a span breaks two limits, which one is named depends on the order of reading.
      const indexes = ({ spans, rejected }: DecodedExport) => ({ spans, rejected: rejected.map(({ index }) => index) });
      const decoded = decodeText(JSON.stringify(request), limits);
      expect(indexes(decoded)).toEqual(indexes(decodeProtobufExport(encodeOracle(request), limits, keepAll)));
      rejected += decoded.rejected.length;
    }
    expect(rejected).toBeGreaterThan(100);
  });

  it("reads what the JavaScript SDK sends, in both encodings alike", async () => {
    const finished = await sdkSpans();
    const json = JsonTraceSerializer.serializeRequest(finished);
    const protobuf = ProtobufTraceSerializer.serializeRequest(finished);
    if (json === undefined || protobuf === undefined) throw new Error("the SDK serialised nothing");
    const filter = { keepsAttribute: (key: string) => key !== "gen_ai.input.messages", keepsSpan: () => true };
    const decoded = decodeProtobufExport(protobuf, defaultDecodeLimits, filter);
    expect(decodeJsonExport(json, defaultDecodeLimits, filter)).toEqual(decoded);
    expect(decoded.spans).toEqual(oracleSpans(protobuf, filter.keepsAttribute));
    expect(decoded.spans[0]).toMatchObject({
      name: "chat gpt-4o",
      scope: "@burnwatch/instrumentation@0.1.0",
      status: "error",
      parentSpanId: decoded.spans[1]?.spanId,
      attributes: { "gen_ai.usage.input_tokens": 2006, "gen_ai.response.finish_reasons": ["stop", "length"] },
      resource: { "service.name": "support-bot", "process.pid": 42 },
    });
    expect(decoded.spans[1]).toMatchObject({
      parentSpanId: "",
      startUs: 1_790_000_000_123_456,
      endUs: 1_790_000_001_000_000,
    });
    expect(JSON.stringify(decoded)).not.toContain("secret");
  });

  it("never keeps a prompt or an attribute off the allow-list, of span or resource", () => {
    const canary = "sk-canary-1f3c";
    const value = { stringValue: canary };
    const secrets = ["gen_ai.input.messages", "http.request.header.authorization"].map((key) => ({ key, value }));
    const span: OtlpSpan = {
      ...ids,
      name: "chat",
      attributes: [...secrets, { key: "gen_ai.request.model", value: { stringValue: "gpt-4o" } }],
      events: [{ name: canary, attributes: secrets }],
      status: { code: 2, message: canary },
      traceState: `k=${canary}`,
    };
    const request = {
      resourceSpans: [
        { resource: { attributes: secrets }, scopeSpans: [{ spans: [span, { ...span, spanId: "00" }] }] },
      ],
    };
    const filter = { keepsAttribute: (key: string) => key === "gen_ai.request.model", keepsSpan: () => true };
    const decodes = [
      decodeJsonExport(Buffer.from(JSON.stringify(request)), defaultDecodeLimits, filter),
      decodeProtobufExport(encodeOracle(request), defaultDecodeLimits, filter),
    ];
    for (const decoded of decodes) {
      expect(decoded).toMatchObject({
        spans: [{ attributes: { "gen_ai.request.model": "gpt-4o" } }],
        rejected: [{ index: 1 }],
      });
      expect(JSON.stringify(decoded)).not.toContain(canary);
    }
  });

  it("accepts what the JSON mapping allows: null, numbers, enum names, unknown fields", () => {
    const span = {
      ...ids,
      parentSpanId: null,
      startTimeUnixNano: 1_790_000_000_000_000_000,
      endTimeUnixNano: "1790000000000000999",
      status: { code: "STATUS_CODE_ERROR", fromTheFuture: {} },
      attributes: [{ key: "n", value: { intValue: 7 } }, { key: "x", value: null }, { key: "y" }],
      fromTheFuture: [1, { two: 3 }],
    };
    expect(decodeSpans([span, { ...ids, status: null, attributes: null }])).toMatchObject({
      rejected: [],
      spans: [
        {
          traceId: ids.traceId.toLowerCase(),
          spanId: ids.spanId.toLowerCase(),
          parentSpanId: "",
          startUs: 1_790_000_000_000_000,
          endUs: 1_790_000_000_000_000,
          status: "error",
          attributes: { n: 7 },
        },
        { status: "ok" },
      ],
    });
    expect(decodeSpans([{ ...ids, start_time_unix_nano: "5000" }]).spans[0]?.startUs).toBe(0);
    expect(decodeText("{}")).toEqual({ spans: [], otherSpans: 0, rejected: [] });
  });

  it.each([
    [{ intValue: "9007199254740993" }, "9007199254740993"],
    [{ intValue: "-0" }, 0],
    [{ intValue: "007" }, 7],
    [{ doubleValue: "NaN" }, Number.NaN],
    [{ doubleValue: "-Infinity" }, Number.NEGATIVE_INFINITY],
    [{ doubleValue: "1e3" }, 1000],
    [{ stringValue: "lone \ud800" }, "lone \ufffd"],
    [{ stringValue: null, boolValue: false }, false],
    [{ arrayValue: {} }, []],
    [{ kvlistValue: { values: [] } }, undefined],
    [{ bytesValue: "AA==" }, undefined],
    [{}, undefined],
    [
      { intValue: "9223372036854775808" },
      "attributes[0].value.intValue: expected an int64 as a decimal string, got other text",
    ],
    [{ intValue: 1.5 }, "attributes[0].value.intValue: expected an int64 as a decimal string, got number"],
    [{ doubleValue: "many" }, "attributes[0].value.doubleValue: expected a number, got string"],
    [{ boolValue: "true" }, "attributes[0].value.boolValue: expected a boolean, got string"],
    [{ stringValue: 3 }, "attributes[0].value.stringValue: expected a string, got number"],
    [{ arrayValue: [] }, "attributes[0].value.arrayValue: expected an object, got array"],
    [
      { arrayValue: { values: [{}, { arrayValue: { values: [7] } }] } },
      "attributes[0].value.arrayValue.values[1].arrayValue.values[0]: expected an object, got number",
    ],
    ["text", "attributes[0].value: expected an object, got string"],
  ])("reads the attribute value %j as %j", (value, expected) => {
    expect(kept(value)).toEqual(expected);
  });

  it.each([
    [{ traceId: 7 }, "traceId: expected a hex string, got number"],
    [{ traceId: "0".repeat(32) }, "the trace id must be 16 bytes, not all zero, in hex"],
    [{ spanId: "xyz" }, "the span id must be 8 bytes, not all zero, in hex"],
    [{ parentSpanId: "ab" }, "the parent span id must be empty or 8 bytes, in hex"],
    [{ name: {} }, "name: expected a string, got object"],
    [{ startTimeUnixNano: {} }, "startTimeUnixNano: expected a decimal string, got object"],
    [{ endTimeUnixNano: "soon" }, "endTimeUnixNano: expected a decimal string, got other text"],
    [
      { endTimeUnixNano: "18446744073709551615" },
      "the start and end time must be Unix nanoseconds before the year 2255",
    ],
    [{ status: 2 }, "status: expected an object, got number"],
    [{ status: { code: "BAD" } }, "status.code: expected an integer, got string"],
    [{ attributes: {} }, "attributes: expected an array, got object"],
    [{ attributes: [3] }, "attributes[0]: expected an object, got number"],
    [{ attributes: [{ key: 3 }] }, "attributes[0].key: expected a string, got number"],
  ])("rejects only the span with %j", (fault, reason) => {
    const { spans, rejected } = decodeSpans([ids, { ...ids, ...fault }, ids]);
    expect(spans).toHaveLength(2);
    expect(rejected).toEqual([{ index: 1, reason }]);
    expect(decodeSpans([7, ids]).rejected).toEqual([{ index: 0, reason: "span: expected an object, got number" }]);
  });

  it.each([
    ["[]", "the request: expected an object, got array"],
    ['{"resourceSpans":{}}', "resourceSpans: expected an array, got object"],
    ['{"resourceSpans":[{},7]}', "resourceSpans[1]: expected an object, got number"],
    ['{"resourceSpans":[{"resource":[]}]}', "resourceSpans[0].resource: expected an object, got array"],
    [
      '{"resourceSpans":[{"resource":{"attributes":[{"key":"k","value":{"intValue":[]}}]}}]}',
      "resourceSpans[0].resource.attributes[0].value.intValue: expected an int64 as a decimal string, got array",
    ],
    ['{"resourceSpans":[{"scopeSpans":7}]}', "resourceSpans[0].scopeSpans: expected an array, got number"],
    ['{"resourceSpans":[{"scopeSpans":[{},null]}]}', "resourceSpans[0].scopeSpans[1]: expected an object, got null"],
    [
      '{"resourceSpans":[{"scopeSpans":[{"scope":7}]}]}',
      "resourceSpans[0].scopeSpans[0].scope: expected an object, got number",
    ],
    [
      '{"resourceSpans":[{"scopeSpans":[{"scope":{"version":7}}]}]}',
      "resourceSpans[0].scopeSpans[0].scope.version: expected a string, got number",
    ],
    [
      '{"resourceSpans":[{"scopeSpans":[{"spans":{}}]}]}',
      "resourceSpans[0].scopeSpans[0].spans: expected an array, got object",
    ],
    ["", "expected a JSON text"],
    ['{"secret-prompt" oops', "expected a JSON text"],
  ])("refuses the request %s, with the path", (text, message) => {
    expect(() => decodeText(text)).toThrow(MalformedExportError);
    expect(() => decodeText(text)).toThrow(message);
    expect(() => decodeText(text)).not.toThrow("secret-prompt");
  });
});
