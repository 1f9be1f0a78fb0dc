/** What a malicious exporter sends, and the stated answer to each: the same over both encodings, never a throw. */

import { describe, expect, it } from "vitest";
import { dialectOf, keepsAttribute, keepsSpan } from "../src/dialects/dialects.ts";
import { type DecodedExport, defaultDecodeLimits as limits } from "../src/ingest/decoded-export.ts";
import { decodeJsonExport } from "../src/ingest/otlp-json.ts";
import { encodeOracle, type OtlpAny, type OtlpAttribute, type OtlpSpan } from "../src/ingest/otlp-oracle.ts";
import { decodeProtobufExport } from "../src/ingest/otlp-protobuf.ts";
import { usageRecord } from "../src/ingest/usage-record.ts";
import type { UsageRecord } from "../src/model/usage-record.ts";
import { PriceBook } from "../src/pricing/price-book.ts";

const filter = { keepsAttribute, keepsSpan };
const arrivedAtMs = Date.parse("2026-06-01T12:00:00Z");
const nanos = (at: string) => `${Date.parse(at)}000000`;
const text = (stringValue: string): OtlpAny => ({ stringValue });
const attribute = (key: string, value: OtlpAny): OtlpAttribute => ({ key, value });
const chat = [
  attribute("gen_ai.operation.name", text("chat")),
  attribute("gen_ai.provider.name", text("openai")),
  attribute("gen_ai.request.model", text("gpt-4o")),
  attribute("gen_ai.usage.input_tokens", { intValue: "10" }),
];

function hostile(attributes: readonly OtlpAttribute[], own: Partial<OtlpSpan> = {}): OtlpSpan {
  return {
    traceId: "ab".repeat(16),
    spanId: "cd".repeat(8),
    name: "chat",
    startTimeUnixNano: nanos("2026-06-01T11:59:00Z"),
    endTimeUnixNano: nanos("2026-06-01T11:59:01Z"),
    attributes: [...chat, ...attributes],
    ...own,
  };
}

describe.each(["json", "protobuf"] as const)("over %s", (encoding) => {
  function sent(...spans: OtlpSpan[]): DecodedExport {
    const request = { resourceSpans: [{ scopeSpans: [{ spans }] }] };
    return encoding === "json"
      ? decodeJsonExport(Buffer.from(JSON.stringify(request)), limits, filter)
      : decodeProtobufExport(encodeOracle(request), limits, filter);
  }

  function recordOf(span: OtlpSpan): UsageRecord {
    const [kept] = sent(span).spans;
    if (kept === undefined) throw new Error("the span was not kept");
    const reading = dialectOf(kept)?.read(kept);
    if (reading == null) throw new Error("the span was not read");
    return usageRecord(kept, reading, arrivedAtMs, new PriceBook());
  }

  const rejected: readonly [string, OtlpSpan, RegExp][] = [
    [
      "ten thousand attributes",
      hostile(Array.from({ length: 10_000 }, (_, i) => attribute(`gen_ai.usage.k${i}`, { intValue: "1" }))),
      /more than 512 attributes/,
    ],
    [
      "an array 24 levels deep",
      hostile([attribute("gen_ai.response.finish_reasons", nested(24))]),
      /nests deeper than 16 levels/,
    ],
    ["a trace id of zeros", hostile([], { traceId: "0".repeat(32) }), /trace id must be 16 bytes, not all zero/],
    ["a span id of zeros", hostile([], { spanId: "0".repeat(16) }), /span id must be 8 bytes, not all zero/],
  ];
  it.each(rejected)("rejects a span with %s, and says why", (_, span, reason) => {
    const { spans, rejected } = sent(hostile([]), span);
    expect(spans).toHaveLength(1);
    expect(rejected).toEqual([{ index: 1, reason: expect.stringMatching(reason) }]);
  });

  it("cuts a name of a megabyte, and drops a text of a megabyte in a usage family with a flag", () => {
    const megabyte = "x".repeat(1024 * 1024);
    const record = recordOf(
      hostile([
        attribute("burnwatch.feature", text(megabyte)),
        attribute("gen_ai.usage.output_tokens", text(megabyte)),
        attribute("gen_ai.input.messages", text(megabyte)),
      ]),
    );
    expect(record.feature).toBe("x".repeat(256));
    expect(record).toMatchObject({ usage: { input: 10, output: 0 }, flags: ["token_count_dropped"] });
  });

  it("drops a key of a megabyte, and cuts a model's and a span's name of one", () => {
    const megabyte = "x".repeat(1024 * 1024);
    const { spans } = sent(
      hostile([
        attribute(`gen_ai.usage.${megabyte}`, { intValue: "5" }),
        attribute("gen_ai.response.model", text(megabyte)),
      ]),
      hostile([], { spanId: "ef".repeat(8), name: megabyte }),
    );
    expect(JSON.stringify(spans).length).toBeLessThan(20_000);
    const record = recordOf(hostile([attribute("gen_ai.response.model", text(megabyte))]));
    expect(record).toMatchObject({ model: "x".repeat(256), costNanoUsd: null, costStatus: "unpriced_model" });
  });

  it("takes a parent id of zeros for none", () => {
    expect(sent(hostile([], { parentSpanId: "0".repeat(16) })).spans[0]?.parentSpanId).toBe("");
  });

  const wrongNames: readonly [string, OtlpAny, string][] = [
    ["a boolean", { boolValue: true }, "true"],
    ["a number", { doubleValue: 4.5 }, "4.5"],
    ["a list", { arrayValue: { values: [text("gpt-4o")] } }, ""],
    ["pairs", { kvlistValue: { values: [attribute("name", text("gpt-4o"))] } }, ""],
    ["nothing", {}, ""],
  ];
  it.each(wrongNames)("takes %s for a name as text or as none", (_, value, feature) => {
    expect(recordOf(hostile([attribute("burnwatch.feature", value)])).feature).toBe(feature);
  });

  it("takes the last of keys that are sent twice", () => {
    const twice = [attribute("gen_ai.usage.input_tokens", { intValue: "20" })];
    expect(recordOf(hostile(twice)).usage.input).toBe(20);
  });

  const wrong: readonly [string, OtlpAny][] = [
    ["a boolean", { boolValue: true }],
    ["a list", { arrayValue: { values: [{ intValue: "1" }, { intValue: "2" }] } }],
    ["a word", text("many")],
    ["a negative number", { intValue: "-5" }],
    ["a fraction", { doubleValue: 0.5 }],
    ["more than any call can use", { intValue: "1000000001" }],
    ["the largest integer", { intValue: "9223372036854775807" }],
  ];
  it.each(wrong)("drops %s for a count, with a flag, and keeps the rest", (_, value) => {
    const record = recordOf(hostile([attribute("gen_ai.usage.output_tokens", value)]));
    expect(record).toMatchObject({ usage: { input: 10, output: 0 }, flags: ["token_count_dropped"] });
  });

  it("takes a count as text, and as a list of one", () => {
    const values: OtlpAny[] = [text("7"), { doubleValue: 7 }, { arrayValue: { values: [{ intValue: "7" }] } }];
    for (const value of values) {
      expect(recordOf(hostile([attribute("gen_ai.usage.output_tokens", value)]))).toMatchObject({
        usage: { output: 7 },
        flags: [],
      });
    }
  });

  it("replaces a time of 2200 by the arrival, ends a span before its start at its start, with a flag", () => {
    const future = recordOf(hostile([], { startTimeUnixNano: nanos("2200-01-01T00:00:00Z") }));
    expect(future).toMatchObject({ startUs: arrivedAtMs * 1000, flags: ["time_clamped"] });
    const reversed = recordOf(hostile([], { endTimeUnixNano: nanos("1970-01-01T00:00:01Z") }));
    expect(reversed).toMatchObject({ flags: ["time_reversed"] });
    expect(reversed.endUs).toBe(reversed.startUs);
  });

  it("keeps spans that are each other's parents, and their own", () => {
    const [a, b] = ["aa".repeat(8), "bb".repeat(8)];
    const { spans, rejected } = sent(
      hostile([], { spanId: a, parentSpanId: b }),
      hostile([], { spanId: b, parentSpanId: a }),
      hostile([], { parentSpanId: "cd".repeat(8) }),
    );
    expect([spans.length, rejected.length]).toEqual([3, 0]);
  });

  it("keeps of JSON attributes only numbers that are known, however they are stuffed", () => {
    const details = {
      input: 5,
      output: 2,
      prompt: "my secret prompt",
      list: ["my secret prompt"],
      "my secret prompt": 1,
      deep: { deep: { deep: { deep: { deep: { deep: { deep: 1 } } } } } },
      ...Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`n${i}`, i])),
    };
    const { spans } = sent(
      hostile([
        attribute("langfuse.observation.type", text("generation")),
        attribute("langfuse.observation.usage_details", text(JSON.stringify(details))),
        attribute("ai.response.providerMetadata", text(JSON.stringify({ openai: details, secret: { x: 1 } }))),
      ]),
    );
    const kept = spans[0]?.attributes ?? {};
    expect(JSON.stringify(spans)).not.toContain("secret");
    expect(kept["langfuse.observation.usage_details.input"]).toBe(5);
    expect(Object.keys(kept).filter((key) => key.startsWith("langfuse.observation.usage_details.")).length).toBe(64);
    expect(Object.keys(kept).filter((key) => key.startsWith("ai.response.providerMetadata"))).toEqual([]);
  });

  it("says of JSON beyond 64 KiB that its usage is unreadable", () => {
    const details = JSON.stringify({ input: 5, output: 2, padding: "x".repeat(70_000) });
    const record = recordOf(
      hostile([
        attribute("langfuse.observation.type", text("generation")),
        attribute("langfuse.observation.usage_details", text(details)),
      ]),
    );
    expect(record.flags).toContain("usage_unreadable");
    expect(record.costNanoUsd).toBeNull();
  });
});

function nested(depth: number): OtlpAny {
  let value: OtlpAny = text("stop");
  for (let level = 0; level < depth; level++) value = { arrayValue: { values: [value] } };
  return value;
}
