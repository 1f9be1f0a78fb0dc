/** Both decoders of metrics against the full decode, and against hostile bytes. */

import { describe, expect, it } from "vitest";
import { type DecodeLimits, defaultDecodeLimits, MalformedExportError } from "../decoded-export.ts";
import { type Random, seededRandom } from "../otlp-random.ts";
import type { DecodedMetrics, MetricFilter } from "./decoded-metrics.ts";
import { decodeJsonMetrics } from "./metrics-json.ts";
import {
  encodeMetricsOracle,
  type OtlpMetric,
  type OtlpMetricsRequest,
  type OtlpPoint,
  oraclePoints,
} from "./metrics-oracle.ts";
import { decodeProtobufMetrics } from "./metrics-protobuf.ts";

const keeps: MetricFilter = (name) => ({ hw: "numbers" as const, tokens: "histograms" as const })[name] ?? null;
const wanted = new Set(["hw gauge", "hw sum", "tokens histogram", "tokens exponentialHistogram"]);

const decoders = [
  ["protobuf", decodeProtobufMetrics, encodeMetricsOracle],
  ["JSON", decodeJsonMetrics, (request: OtlpMetricsRequest) => Buffer.from(JSON.stringify(request))],
] as const;

function attribute(random: Random) {
  const values = [{ stringValue: "gpu-0" }, { intValue: "7" }, { doubleValue: 0.5 }, { boolValue: true }];
  return { key: `key-${random(5)}`, value: values[random(values.length)] ?? {} };
}

const times = ["1795000000000000000", "1795000001000000123", "1795000002000000999"];

function point(random: Random, number: boolean): OtlpPoint {
  const value = number
    ? ([{ asDouble: -1.5 }, { asInt: "-9007199254740991" }, { asInt: "12" }, {}, { asDouble: 1e300 }][random(5)] ?? {})
    : {
        count: String(random(1000)),
        sum: random(1_000_000) / 4,
        bucketCounts: ["1", "2"],
        explicitBounds: [1],
        max: 4,
      };
  const start = random(3);
  return {
    attributes: Array.from({ length: random(4) }, () => attribute(random)),
    ...(random(2) === 0 ? {} : { startTimeUnixNano: times[start] ?? "" }),
    timeUnixNano: times[Math.min(2, start + random(2))] ?? "",
    ...value,
    ...(random(6) === 0 ? { flags: 1 } : {}),
  };
}

function metric(random: Random): OtlpMetric {
  const kinds = ["gauge", "sum", "histogram", "exponentialHistogram", "summary"] as const;
  const kind = kinds[random(kinds.length)] ?? "gauge";
  const number = kind === "gauge" || kind === "sum";
  const dataPoints = Array.from({ length: random(4) }, () =>
    kind === "summary" ? { count: "3", sum: 1 } : point(random, number),
  );
  const temporality = kind === "gauge" || kind === "summary" ? {} : { aggregationTemporality: 1 + random(2) };
  const exponential = kind === "exponentialHistogram";
  const points = exponential
    ? dataPoints.map(({ bucketCounts: _, explicitBounds: __, ...rest }: OtlpPoint) => ({ ...rest, scale: 2 }))
    : dataPoints;
  const data = { dataPoints: points, ...temporality, ...(kind === "sum" ? { isMonotonic: random(2) === 0 } : {}) };
  return { name: ["hw", "tokens", "other"][random(3)] ?? "", unit: "1", description: "text", [kind]: data };
}

function randomRequest(seed: number): OtlpMetricsRequest {
  const random = seededRandom(seed);
  const several = <Each>(make: () => Each) => Array.from({ length: random(4) }, make);
  return {
    resourceMetrics: several(() => ({
      resource: { attributes: several(() => attribute(random)) },
      scopeMetrics: several(() => ({
        scope: { name: "scope", ...(random(2) === 0 ? {} : { version: "2" }) },
        metrics: several(() => metric(random)),
      })),
    })),
  };
}

const nanos = "1795000000000000000";

/** A request of one metric. */
function one(name: string, data: Readonly<Record<string, unknown>>): OtlpMetricsRequest {
  return { resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name, ...data }] }] }] };
}

/** Whether the body was decoded; anything thrown but MalformedExportError fails the test. */
function survives(decode: () => DecodedMetrics): boolean {
  try {
    return decode().points.length >= 0;
  } catch (error) {
    if (error instanceof MalformedExportError) return false;
    throw error;
  }
}

describe.each(decoders)("metrics in %s", (name, decode, encode) => {
  it("give the points of a full decode, for a thousand random requests", () => {
    let points = 0;
    for (let seed = 0; seed < 1000; seed++) {
      const request = randomRequest(seed);
      const expected = oraclePoints(encodeMetricsOracle(request), wanted);
      const decoded = decode(encode(request), defaultDecodeLimits, keeps);
      expect(decoded).toEqual({ points: expected.points, otherPoints: expected.others, rejected: [] });
      points += expected.points.length;
    }
    expect(points).toBeGreaterThan(900);
  });

  it("refuse a point that makes no sense, with the reason, and keep its neighbours", () => {
    const sound = { timeUnixNano: nanos, count: "2", sum: 10 };
    const dataPoints = [
      sound,
      { ...sound, timeUnixNano: "0" },
      { ...sound, startTimeUnixNano: "1795000000000001000" },
      { ...sound, sum: -1 },
      { timeUnixNano: nanos, count: "2" },
      { ...sound, sum: 1e300 },
      { ...sound, count: "18446744073709551615" },
      { ...sound, timeUnixNano: "18446744073709551615" },
      sound,
    ];
    const decoded = decode(
      encode(one("tokens", { histogram: { aggregationTemporality: 1, dataPoints } })),
      defaultDecodeLimits,
      keeps,
    );
    expect(decoded.points.map(({ index }) => index)).toEqual([0, 8]);
    const total = "a histogram must carry a sum and a count from 0 to 2^53";
    expect(decoded.rejected).toEqual([
      { index: 1, reason: "its time must be set" },
      { index: 2, reason: "it starts after its time" },
      { index: 3, reason: total },
      { index: 4, reason: total },
      { index: 5, reason: total },
      { index: 6, reason: total },
      { index: 7, reason: "the start and end time must be Unix nanoseconds before the year 2255" },
    ]);
    const unspecified = one("hw", { sum: { dataPoints: [{ timeUnixNano: nanos, asInt: "1" }] } });
    expect(decode(encode(unspecified), defaultDecodeLimits, keeps).rejected).toEqual([
      { index: 0, reason: "its aggregation temporality must be delta or cumulative" },
    ]);
  });

  it("keep to the limits of points, attributes and values", () => {
    const limits: DecodeLimits = { ...defaultDecodeLimits, spansMax: 3, attributesPerSpanMax: 2 };
    const pointWith = (attributes: number, length = 1) => ({
      timeUnixNano: nanos,
      asInt: "1",
      attributes: Array.from({ length: attributes }, (_, i) => ({
        key: `k${i}`,
        value: { stringValue: "x".repeat(length) },
      })),
    });
    const many = (count: number) =>
      one("hw", { gauge: { dataPoints: Array.from({ length: count }, () => pointWith(0)) } });
    const surplus = decode(encode(many(5)), limits, keeps);
    expect([surplus.points.length, surplus.rejected.map(({ index }) => index)]).toEqual([3, [3, 4]]);
    expect(surplus.rejected[0]?.reason).toContain("a request may hold 3 data points");
    expect(() => decode(encode(many(49)), limits, keeps)).toThrow(MalformedExportError);
    const others = one("unknown", { gauge: { dataPoints: Array.from({ length: 49 }, () => pointWith(0)) } });
    expect(() => decode(encode(others), limits, keeps)).toThrow(MalformedExportError);
    const wide = decode(
      encode(one("hw", { gauge: { dataPoints: [pointWith(3), pointWith(2, 1000)] } })),
      limits,
      keeps,
    );
    expect(wide.rejected[0]).toMatchObject({ index: 0, reason: expect.stringContaining("more than 2 attributes") });
    expect(wide.points[0]?.attributes["k0"]).toBe("x".repeat(256));
  });

  it("survive random bytes, every truncation and single-byte mutations", () => {
    const random = seededRandom(3);
    for (let i = 0; i < 3000; i++) {
      const bytes = Buffer.from(Array.from({ length: random(200) }, () => random(256)));
      survives(() => decode(bytes, defaultDecodeLimits, keeps));
    }
    const whole = encode(randomRequest(5));
    expect(whole.length).toBeGreaterThan(500);
    for (let length = 0; length < whole.length; length++)
      survives(() => decode(whole.subarray(0, length), defaultDecodeLimits, keeps));
    for (let at = 0; at < whole.length; at++) {
      const mutated = Buffer.from(whole);
      mutated[at] = random(256);
      survives(() => decode(mutated, defaultDecodeLimits, keeps));
    }
    expect(name === "JSON" || survives(() => decode(whole, defaultDecodeLimits, keeps))).toBe(true);
  });
});
