import { describe, expect, it } from "vitest";
import { type DecodedExport, defaultDecodeLimits, MalformedExportError, type SpanFilter } from "./decoded-export.ts";
import { encodeOracle, type OtlpAny, type OtlpRequest, type OtlpSpan, oracleSpans } from "./otlp-oracle.ts";
import { decodeProtobufExport } from "./otlp-protobuf.ts";
import { randomRequest, seededRandom } from "./otlp-random.ts";

const keepAll: SpanFilter = { keepsAttribute: () => true, keepsSpan: () => true };
const traceId = "0102030405060708090a0b0c0d0e0f10";
const spanId = "a1a2a3a4a5a6a7a8";

function requestOf(...spans: Partial<OtlpSpan>[]): OtlpRequest {
  return { resourceSpans: [{ scopeSpans: [{ spans: spans.map((span) => ({ traceId, spanId, ...span })) }] }] };
}

function decode(request: OtlpRequest, limits = {}, filter = keepAll): DecodedExport {
  return decodeProtobufExport(encodeOracle(request), { ...defaultDecodeLimits, ...limits }, filter);
}

function kept(value: OtlpAny, limits = {}): unknown {
  return decode(requestOf({ attributes: [{ key: "k", value }] }), limits).spans[0]?.attributes["k"];
}

describe("decodeProtobufExport", () => {
  it("agrees with a full decode of random requests, filter included", () => {
    const keeps = (key: string) => key !== "gen_ai.input.messages" && key !== "secret.header";
    const random = seededRandom(20_260_101);
    let spans = 0;
    for (let i = 0; i < 400; i++) {
      const body = encodeOracle(randomRequest(random));
      const expected = oracleSpans(body, (key) => keeps(key) && key !== "" && key !== "__proto__");
      const decoded = decodeProtobufExport(body, defaultDecodeLimits, { keepsAttribute: keeps, keepsSpan: () => true });
      expect(decoded).toEqual({ spans: expected, otherSpans: 0, rejected: [] });
      spans += expected.length;
    }
    expect(spans).toBeGreaterThan(1000);
  });

  it("reads fields in any order and ignores unknown ones, groups included", () => {
    const field = (number: number, bytes: Buffer) =>
      Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
    const value = field(2, field(1, Buffer.from("v")));
    const attribute = field(9, Buffer.concat([value, field(1, Buffer.from("k"))]));
    // Field 100 is a group that holds a group; field 101 a fixed32, 102 a fixed64.
    const unknown = Buffer.from("a306a306a406a406ad0601020304b1060102030405060708", "hex");
    const span = Buffer.concat([
      unknown,
      attribute,
      field(2, Buffer.from(spanId, "hex")),
      field(1, Buffer.from(traceId, "hex")),
    ]);
    const spans = Buffer.concat([field(2, span), field(1, field(1, Buffer.from("late scope")))]);
    const resource = field(
      1,
      field(1, Buffer.concat([field(1, Buffer.from("r")), field(2, field(1, Buffer.from("late")))])),
    );
    const body = field(1, Buffer.concat([field(2, spans), resource, unknown]));
    const { spans: decoded } = decodeProtobufExport(body, defaultDecodeLimits, keepAll);
    expect(decoded).toHaveLength(1);
    expect(decoded[0]).toMatchObject({ scope: "late scope", attributes: { k: "v" }, resource: { r: "late" } });
  });

  it("shares one resource object between the spans of a resource and reads any Uint8Array", () => {
    const { spans } = decodeProtobufExport(
      new Uint8Array(encodeOracle(requestOf({}, {}))),
      defaultDecodeLimits,
      keepAll,
    );
    expect(spans).toHaveLength(2);
    expect(spans[0]?.resource).toBe(spans[1]?.resource);
  });

  it("floors nanoseconds to microseconds exactly, up to the last one a JS number holds", () => {
    const last = BigInt(Number.MAX_SAFE_INTEGER) * 1000n + 999n;
    const random = seededRandom(3);
    const some = Array.from(
      { length: 2000 },
      () => ((BigInt(random(2 ** 31)) << 32n) | BigInt(random(2 ** 32))) % last,
    );
    for (const nanos of [0n, 1n, 999n, 1000n, 1_790_000_000_123_456_999n, last, ...some]) {
      const [span] = decode(requestOf({ startTimeUnixNano: String(nanos), endTimeUnixNano: String(nanos) })).spans;
      expect(span?.startUs).toBe(Number(nanos / 1000n));
      expect(BigInt(span?.endUs ?? -1)).toBe(nanos / 1000n);
    }
    expect(decode(requestOf({ startTimeUnixNano: String(last + 1n) })).rejected[0]?.reason).toContain("year 2255");
    expect(decode(requestOf({ endTimeUnixNano: String(2n ** 64n - 1n) })).rejected).toHaveLength(1);
  });

  it("keeps integers as numbers where exact and as decimal strings beyond", () => {
    expect(kept({ intValue: "9007199254740991" })).toBe(Number.MAX_SAFE_INTEGER);
    expect(kept({ intValue: "9007199254740992" })).toBe("9007199254740992");
    expect(kept({ intValue: "-9223372036854775808" })).toBe("-9223372036854775808");
    expect(kept({ intValue: "-1" })).toBe(-1);
  });

  it("cuts long values between characters", () => {
    expect(kept({ stringValue: "aé🤖" }, { attributeBytesMax: 7 })).toBe("aé🤖");
    expect(kept({ stringValue: "aé🤖" }, { attributeBytesMax: 6 })).toBe("aé");
    expect(kept({ stringValue: "aé🤖" }, { attributeBytesMax: 2 })).toBe("a");
    const values = [{ stringValue: "abc" }, { intValue: "1" }, { stringValue: "defg" }, { boolValue: true }];
    expect(kept({ arrayValue: { values } }, { attributeBytesMax: 29 })).toEqual(["abc", 1, "de"]);
  });

  it("rejects spans with unusable ids and says which", () => {
    const { spans, rejected } = decode(
      requestOf(
        { traceId: "01" },
        { traceId: "00".repeat(16) },
        { spanId: "" },
        { parentSpanId: "ff" },
        { parentSpanId: "00".repeat(8) },
      ),
    );
    expect(rejected.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
    expect(rejected.map(({ reason }) => reason.split(" must")[0])).toEqual([
      "the trace id",
      "the trace id",
      "the span id",
      "the parent span id",
    ]);
    expect(spans.map(({ parentSpanId }) => parentSpanId)).toEqual([""]);
  });

  it("rejects a span over the attribute limit or too deep, and keeps its neighbours", () => {
    const attributes = ["a", "b", "c"].map((key) => ({ key, value: { intValue: "1" } }));
    let deep: OtlpAny = { stringValue: "bottom" };
    for (let i = 0; i < 4; i++) deep = { arrayValue: { values: [deep] } };
    const request = requestOf({ attributes }, {}, { attributes: [{ key: "k", value: deep }] }, {});
    const { spans, rejected } = decode(request, { attributesPerSpanMax: 2, depthMax: 4 });
    expect(spans).toHaveLength(2);
    expect(rejected).toEqual([
      { index: 0, reason: "it carries more than 2 attributes; lower the attribute limit of the SDK" },
      { index: 2, reason: "an attribute value nests deeper than 4 levels" },
    ]);
  });

  it("rejects every span of a resource over the attribute limit", () => {
    const attributes = ["a", "b", "c"].map((key) => ({ key, value: { intValue: "1" } }));
    const scopeSpans = [{ spans: [{ traceId, spanId }] }];
    const request = { resourceSpans: [{ resource: { attributes }, scopeSpans }, { scopeSpans }] };
    const { spans, rejected } = decode(request, { attributesPerSpanMax: 2 });
    expect(spans).toHaveLength(1);
    expect(rejected).toEqual([{ index: 0, reason: "its resource carries more than 2 attributes" }]);
  });

  it("rejects surplus spans one by one, and the request only far beyond", () => {
    const { spans, rejected } = decode(requestOf({}, {}, {}), { spansMax: 2 });
    expect(spans).toHaveLength(2);
    expect(rejected).toEqual([{ index: 2, reason: expect.stringContaining("a request may hold 2 spans") }]);
    const flood = requestOf(...Array.from({ length: 33 }, () => ({})));
    expect(() => decode(flood, { spansMax: 2 })).toThrow("expected at most 32 spans in one request");
  });

  it("counts sound spans that the filter does not want, and asks it once per key", () => {
    const asked: string[] = [];
    const filter: SpanFilter = {
      keepsAttribute: (key) => asked.push(key) > 0 && key !== "drop",
      keepsSpan: (span) => span.name === "chat",
    };
    const attributes = ["a", "drop", "a"].map((key) => ({ key, value: { intValue: "1" } }));
    const request = requestOf({ name: "chat", attributes }, { name: "GET", attributes }, { traceId: "", attributes });
    const decoded = decode(request, {}, filter);
    expect(decoded).toMatchObject({ otherSpans: 1, spans: [{ attributes: { a: 1 } }], rejected: [{ index: 2 }] });
    expect(asked).toEqual(["a", "drop"]);
  });

  it("tells keys apart that begin alike, whatever key was expected next", () => {
    const orders = [
      ["first", "gen_ai.usage.input_tokens"],
      ["first", "gen_ai.usage"],
      ["first", "gen_ai.usage.input_tokens.of_the_cache"],
    ];
    const spans = orders.map((keys) => ({ attributes: keys.map((key) => ({ key, value: { boolValue: true } })) }));
    expect(decode(requestOf(...spans)).spans.map(({ attributes }) => Object.keys(attributes))).toEqual(orders);
  });

  it("passes on what the filter throws, and decodes the next request", () => {
    let broken = true;
    const keepsSpan = () => {
      if (broken) throw new RangeError("a bug of the filter");
      return true;
    };
    const filter = { keepsAttribute: () => true, keepsSpan };
    expect(() => decode(requestOf({}), {}, filter)).toThrow(new RangeError("a bug of the filter"));
    broken = false;
    expect(decode(requestOf({}), {}, filter).spans).toHaveLength(1);
    const cut = encodeOracle(requestOf({})).subarray(0, -1);
    expect(() => decodeProtobufExport(cut, defaultDecodeLimits, filter)).toThrow(MalformedExportError);
  });

  it("says what was expected and where", () => {
    const at = (hex: string) => () => decodeProtobufExport(Buffer.from(hex, "hex"), defaultDecodeLimits, keepAll);
    expect(at("0a05")).toThrow(
      "expected a ResourceSpans of 5 bytes at byte 1, but only 0 bytes are left of what holds it",
    );
    expect(at("0a0412051205")).toThrow("expected a field of 5 bytes at byte 3, but only 2 bytes are left");
    expect(at("ffffffffff")).toThrow("expected a protobuf field at byte 5, got invalid tag encoding");
    expect(at("0affffffff0f")).toThrow("got invalid length encoding");
    expect(at("0c")).toThrow("expected a protobuf field at byte 1, got invalid wire type 4");
    expect(at("a306".repeat(50))).toThrow("max depth exceeded");
  });
});
