import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { CorruptEntry, OtherVersionEntry } from "../event-log/unreadable-entry.ts";
import type { AttributeValue, Span } from "../model/span.ts";
import { sampleRecords } from "../store/sample-records.ts";
import { correctionOf } from "./correction.ts";
import { arrivedAtMsOf } from "./entry-bytes.ts";
import { decodeSpansEntry, encodeSpansEntry } from "./spans-codec.ts";
import { decodeUsageEntry, encodeUsageEntry } from "./usage-codec.ts";

/** Three sample records as the Burnwatch of schema version 9 wrote them into its log. */
const entryOfVersion2 = readFileSync(new URL("../../test/fixtures/usage-entry-version-2.b64", import.meta.url), "utf8");

const resource = { "service.name": "shop" };

function spanWith(attributes: Readonly<Record<string, AttributeValue>>, more: Partial<Span> = {}): Span {
  return {
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId: "b7ad6b7169203331",
    parentSpanId: "",
    name: "chat gpt-4o",
    scope: "app@1.0",
    startUs: 1_763_625_600_000_001,
    endUs: 1_763_625_600_123_456,
    status: "ok",
    attributes,
    resource,
    ...more,
  };
}

describe("an entry of the spans log", () => {
  it("gives back every kind of value as it was", () => {
    const attributes = {
      text: "grüße, 世界 🚀",
      empty: "",
      yes: true,
      no: false,
      zero: 0,
      "negative zero": -0,
      negative: -123_456_789,
      large: 2 ** 52 - 1,
      larger: 2 ** 60,
      fraction: 0.1,
      infinite: Number.NEGATIVE_INFINITY,
      "not a number": Number.NaN,
      list: ["a", 1, [true, ["deep"]], []],
    };
    const spans = [
      spanWith(attributes),
      spanWith({}, { status: "error", parentSpanId: "00f067aa0ba902b7", startUs: 0 }),
    ];
    expect(decodeSpansEntry(encodeSpansEntry({ arrivedAtMs: 1_763_625_600_000, spans }))).toEqual({
      arrivedAtMs: 1_763_625_600_000,
      spans,
    });
  });

  it("shares one resource object among the spans that shared one", () => {
    const other = { "service.name": "pay" };
    const spans = [spanWith({}), spanWith({}), spanWith({}, { resource: other })];
    const decoded = decodeSpansEntry(encodeSpansEntry({ arrivedAtMs: 1, spans })).spans;
    expect(decoded[1]?.resource).toBe(decoded[0]?.resource);
    expect(decoded.map((span) => span.resource)).toEqual([resource, resource, other]);
  });

  it("holds texts larger than the memory it begins with", () => {
    const text = "é".repeat(400_000);
    const spans = [spanWith({ text }), spanWith({ list: Array.from({ length: 100_000 }, (_, index) => index) })];
    expect(decodeSpansEntry(encodeSpansEntry({ arrivedAtMs: 1, spans })).spans).toEqual(spans);
  });

  it("refuses an id that is not one, and an entry of another version", () => {
    expect(() => encodeSpansEntry({ arrivedAtMs: 1, spans: [spanWith({}, { traceId: "zz".repeat(16) })] })).toThrow(
      "no id of 16 bytes",
    );
    expect(() => decodeSpansEntry(Uint8Array.of(7, 0, 0, 0, 0))).toThrow(
      "spans log: entry of version 7, this Burnwatch reads version 2",
    );
  });
});

describe("bytes that nobody can have written", () => {
  const attributes = { model: "gpt-4o", tokens: 1234, list: ["a", [1, 2.5]] };
  const spans = Array.from({ length: 20 }, () => spanWith(attributes));
  const samples = [...sampleRecords({ count: 50, startMs: 1_763_625_600_000, spanMs: 1000 })];
  const codecs = {
    spans: { decode: decodeSpansEntry, payload: encodeSpansEntry({ arrivedAtMs: 1_763_625_600_000, spans }) },
    usage: {
      decode: decodeUsageEntry,
      payload: encodeUsageEntry({ arrivedAtMs: 1_763_625_600_000, records: samples }),
    },
  };

  it.each(Object.entries(codecs))(
    "are told as a corrupt entry of the %s log, wherever it was cut off",
    (log, codec) => {
      for (let length = 1; length < codec.payload.length; length++)
        expect(() => codec.decode(codec.payload.subarray(0, length))).toThrow(CorruptEntry);
      expect(() => codec.decode(new Uint8Array())).toThrow(`${log} log: a corrupt entry of 0 bytes`);
      expect(() => codec.decode(Buffer.concat([codec.payload, Buffer.of(0)]))).toThrow(CorruptEntry);
      expect(() => codec.decode(Buffer.from('{"spans":[]}'))).toThrow(CorruptEntry);
    },
  );

  it.each(Object.entries(codecs))("end in no other error of the %s log, whatever bytes were changed", (_, codec) => {
    let corrupt = 0;
    for (let seed = 0; seed < 3000; seed++) {
      const payload = Buffer.from(codec.payload);
      // Steps that meet every place, and values that meet lengths.
      for (const place of [seed * 7, seed * 131 + 5]) payload[place % payload.length] = (seed * 197 + place) % 256;
      try {
        codec.decode(payload);
      } catch (error) {
        if (error instanceof OtherVersionEntry) expect(payload[0]).toBeGreaterThan(0);
        else expect(error).toBeInstanceOf(CorruptEntry);
        corrupt++;
      }
    }
    expect(corrupt).toBeGreaterThan(500);
  });
});

describe("an entry of the usage log", () => {
  it("keeps what somebody calls the new normal, apart from records", () => {
    const accepted = [
      { kind: "spend_above_baseline", series: { tenant: "acme", feature: "søk", promptName: "" } },
      { kind: "gone_quiet", series: {} },
    ];
    const entry = { arrivedAtMs: 5, records: [], accepted };
    expect(decodeUsageEntry(encodeUsageEntry(entry))).toEqual(entry);
  });

  it("keeps what is learnt anew, under a version of its own: who reads the one before reads everything else", () => {
    const relearnt = [
      { detector: "spend", kind: "spend_above_baseline", series: { tenant: "acme", feature: "søk" } },
      { detector: "gone-quiet", kind: "gone_quiet", series: {} },
    ];
    const entry = { arrivedAtMs: 5, records: [], relearnt };
    expect(decodeUsageEntry(encodeUsageEntry(entry))).toEqual(entry);
    expect([encodeUsageEntry(entry)[0], encodeUsageEntry({ ...entry, relearnt: [] })[0]]).toEqual([4, 3]);
  });

  const records = [...sampleRecords({ count: 3000, startMs: 1_763_625_600_000, spanMs: 86_400_000 })];

  it("gives back thousands of records as they were, in a fifth of the bytes of their JSON", () => {
    const payload = encodeUsageEntry({ arrivedAtMs: 1_763_625_600_000.5, records });
    expect(decodeUsageEntry(payload)).toEqual({ arrivedAtMs: 1_763_625_600_000.5, records });
    expect(arrivedAtMsOf(payload)).toBe(1_763_625_600_000.5);
    expect(payload.length).toBeLessThan(JSON.stringify(records).length / 5);
  });

  it("reads what version 2 wrote, which knew no hash of prompts", () => {
    const entry = decodeUsageEntry(Buffer.from(entryOfVersion2, "base64"));
    const before = [...sampleRecords({ count: 3, startMs: 1_763_625_600_000, spanMs: 60_000 })];
    expect(entry.arrivedAtMs).toBe(1_763_625_600_000.5);
    expect(entry.records).toEqual(before.map((record) => ({ ...record, promptHash: "" })));
  });

  it("keeps corrections, costs beyond 2^32 and unknown ones, flags and reported costs", () => {
    const [first] = records;
    if (first === undefined) throw new Error("no sample");
    const modalities = {
      audioInput: 1,
      audioCacheRead: 20,
      audioOutput: 300,
      imageInput: 4000,
      imageCacheRead: 50_000,
      imageOutput: 0,
    };
    const dear = {
      ...first,
      modalities,
      costNanoUsd: 2 ** 53 - 1,
      reportedNanoUsd: 12,
      flags: ["time_clamped", "time_missing"],
    };
    const [takenBack, corrected] = correctionOf(dear, { ...first, costNanoUsd: null, revision: 3 });
    expect(takenBack.modalities).toEqual({
      audioInput: -1,
      audioCacheRead: -20,
      audioOutput: -300,
      imageInput: -4000,
      imageCacheRead: -50_000,
      imageOutput: 0,
    });
    const entry = { arrivedAtMs: 1, records: [dear, takenBack, corrected] };
    expect(decodeUsageEntry(encodeUsageEntry(entry))).toEqual(entry);
  });

  it("is a tick without records", () => {
    expect(decodeUsageEntry(encodeUsageEntry({ arrivedAtMs: 5, records: [] }))).toEqual({
      arrivedAtMs: 5,
      records: [],
    });
  });

  it("keeps what was measured, without records", () => {
    const readings = [
      { instance: "gpu-1", fromUs: 1_763_625_600_000_000, toUs: 1_763_625_660_000_000, joules: 24_000.125 },
      { instance: "é".repeat(256), fromUs: 0, toUs: 1, joules: 0 },
    ];
    const entry = { arrivedAtMs: 5, records: [], readings };
    expect(decodeUsageEntry(encodeUsageEntry(entry))).toEqual(entry);
    const many = {
      ...entry,
      readings: Array.from({ length: 1000 }, (_, index) => ({ ...readings[1], instance: `${index}` })),
    };
    expect(decodeUsageEntry(encodeUsageEntry(many as typeof entry))).toEqual(many);
  });

  it("gives equal bytes for equal entries, whatever was encoded between them", () => {
    const entry = { arrivedAtMs: 1, records: records.slice(0, 10) };
    const before = encodeUsageEntry(entry);
    encodeUsageEntry({ arrivedAtMs: 2, records });
    expect(encodeUsageEntry(entry)).toEqual(before);
  });
});
