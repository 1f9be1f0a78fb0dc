/** Hostile bytes: whatever comes, a decoder returns an export or says that the request is malformed, and soon. */

import { describe, expect, it } from "vitest";
import { type DecodeLimits, defaultDecodeLimits, MalformedExportError, type SpanFilter } from "./decoded-export.ts";
import { decodeJsonExport } from "./otlp-json.ts";
import { encodeOracle } from "./otlp-oracle.ts";
import { decodeProtobufExport } from "./otlp-protobuf.ts";
import { randomRequest, seededRandom } from "./otlp-random.ts";

const keepAll: SpanFilter = { keepsAttribute: () => true, keepsSpan: () => true };
const mebibyte = 1024 * 1024;

type Decoder = typeof decodeProtobufExport;

/** Whether the body was decoded; anything thrown but MalformedExportError fails the test. */
function survives(decode: Decoder, body: Uint8Array, limits: DecodeLimits = defaultDecodeLimits): boolean {
  try {
    const { spans, rejected, otherSpans } = decode(body, limits, keepAll);
    return spans.length + rejected.length + otherSpans >= 0;
  } catch (error) {
    if (error instanceof MalformedExportError) return false;
    throw error;
  }
}

/** Of computing, not of waiting for a core: other suites run at the same time. */
function milliseconds(work: () => void): number {
  const start = process.threadCpuUsage();
  work();
  const { user, system } = process.threadCpuUsage(start);
  return (user + system) / 1000;
}

function field(number: number, bytes: Uint8Array): Buffer {
  const head: number[] = [(number << 3) | 2];
  let length = bytes.length;
  for (; length > 127; length >>>= 7) head.push((length & 127) | 128);
  return Buffer.concat([Buffer.from([...head, length]), bytes]);
}

describe.each([
  ["protobuf", decodeProtobufExport, (seed: number) => Buffer.from(encodeOracle(randomRequest(seededRandom(seed))))],
  ["JSON", decodeJsonExport, (seed: number) => Buffer.from(JSON.stringify(randomRequest(seededRandom(seed))))],
] as const)("the %s decoder", (_name, decode, body) => {
  it("survives 10,000 bodies of random bytes", () => {
    const random = seededRandom(1);
    for (let i = 0; i < 10_000; i++)
      survives(decode, Buffer.from(Array.from({ length: random(200) }, () => random(256))));
  });

  it("survives every truncation, and a sound body is decoded", () => {
    const whole = body(6);
    expect(whole.length).toBeGreaterThan(1000);
    expect(survives(decode, whole)).toBe(true);
    let sound = 0;
    for (let length = 0; length < whole.length; length++) if (survives(decode, whole.subarray(0, length))) sound++;
    // Protobuf has no end mark: a cut between two resources is a sound, shorter request.
    expect(sound).toBeLessThan(5);
  });

  it("survives every single-byte mutation", () => {
    const random = seededRandom(2);
    for (const seed of [6, 7]) {
      const whole = body(seed);
      for (let at = 0; at < whole.length; at++) {
        const mutant = Buffer.from(whole);
        mutant[at] = random(256);
        survives(decode, mutant);
        mutant[at] = (whole[at] ?? 0) ^ (1 << random(8));
        survives(decode, mutant);
      }
    }
  });

  it("survives bodies cut up and put together in another order", () => {
    const random = seededRandom(3);
    const whole = body(6);
    for (let i = 0; i < 3000; i++) {
      const piece = () => {
        const start = random(whole.length);
        return whole.subarray(start, start + random(200));
      };
      survives(decode, Buffer.concat([whole.subarray(0, random(whole.length)), piece(), piece()]));
    }
  });
});

describe("bodies that cost more than they weigh", () => {
  it("does not believe huge declared lengths", () => {
    for (const hex of ["0affffffff07", "0a0612ffffffff07", "0a04120212ff", "0a0a12081206aaffffffff0f"])
      expect(survives(decodeProtobufExport, Buffer.from(hex, "hex"))).toBe(false);
  });

  it("reads deep nesting without deep recursion", () => {
    let value = field(1, Buffer.from("bottom"));
    for (let depth = 0; depth < 5000; depth++) value = field(5, field(1, value));
    const attribute = field(9, Buffer.concat([field(1, Buffer.from("k")), field(2, value)]));
    const span = Buffer.concat([field(1, Buffer.alloc(16, 1)), field(2, Buffer.alloc(8, 1)), attribute]);
    const { rejected } = decodeProtobufExport(field(1, field(2, field(2, span))), defaultDecodeLimits, keepAll);
    expect(rejected).toEqual([{ index: 0, reason: "an attribute value nests deeper than 16 levels" }]);
    expect(survives(decodeProtobufExport, Buffer.alloc(mebibyte, 0x0b))).toBe(false);
    expect(survives(decodeJsonExport, Buffer.alloc(mebibyte, "["))).toBe(false);
    expect(survives(decodeJsonExport, Buffer.alloc(8 * mebibyte, "["))).toBe(false);
  });

  it("refuses a flood of empty spans, scopes, resources or attributes in bounded time", () => {
    const pairs = (byte: number) => Buffer.alloc(32 * mebibyte, Buffer.from([byte, 0]));
    const spans = field(1, field(2, pairs(0x12)));
    const scopes = field(1, pairs(0x12));
    const attributes = field(1, field(2, field(2, pairs(0x4a))));
    const values = field(9, Buffer.concat([field(1, Buffer.from("k")), field(2, field(5, pairs(0x0a)))]));
    const elements = field(1, field(2, field(2, values)));
    for (const [body, sound] of [
      [spans, false],
      [scopes, false],
      [pairs(0x0a), false],
      [attributes, true],
      [elements, true],
    ] as const)
      expect(milliseconds(() => expect(survives(decodeProtobufExport, body)).toBe(sound))).toBeLessThan(4000);
  });

  it("refuses JSON that is mostly brackets before parsing it", () => {
    const body = Buffer.concat([Buffer.from("["), Buffer.alloc(48 * mebibyte, "{},"), Buffer.from("0]")]);
    expect(milliseconds(() => expect(survives(decodeJsonExport, body)).toBe(false))).toBeLessThan(3000);
    const prompts = JSON.stringify({ resourceSpans: [], prompt: '["\\"[[{{'.repeat(mebibyte) });
    expect(survives(decodeJsonExport, Buffer.from(prompts))).toBe(true);
  });

  it("starts over rather than grow when keys are invented without end", () => {
    let asked = 0;
    const filter: SpanFilter = { keepsAttribute: () => ++asked > 0, keepsSpan: () => true };
    const spans = Array.from({ length: 100 }, (_, span) => ({
      traceId: "01".repeat(16),
      spanId: "01".repeat(8),
      attributes: Array.from({ length: 100 }, (_, key) => ({ key: `key-${span}-${key}`, value: { intValue: "1" } })),
    }));
    const body = encodeOracle({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
    const first = decodeProtobufExport(body, defaultDecodeLimits, filter);
    expect(asked).toBe(10_000);
    expect(decodeProtobufExport(body, defaultDecodeLimits, filter)).toEqual(first);
    expect(asked).toBeGreaterThan(10_000);
    expect(Object.keys(first.spans[99]?.attributes ?? {})).toHaveLength(100);
  });
});
