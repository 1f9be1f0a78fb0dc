/** Random OTLP requests from a seed: every attribute type, awkward text, absent fields. Test support. */

import type { OtlpAny, OtlpAttribute, OtlpRequest, OtlpSpan } from "./otlp-oracle.ts";

/** A whole number from 0 up to, not including, `below`. */
export type Random = (below: number) => number;

/** Mulberry32: small, seeded, good enough to vary tests. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

const keys = [
  "gen_ai.operation.name",
  "gen_ai.request.model",
  "gen_ai.usage.input_tokens",
  "gen_ai.usage.output_tokens",
  "gen_ai.input.messages",
  "secret.header",
  "user.id",
  "ключ",
  "__proto__",
  "constructor",
  "0",
  "",
];

const texts = ["", "gpt-4o", "naïve café", "模型🤖", "a\u0000b", '"\\\n', "x".repeat(300), "🤖".repeat(40)];

/** A sound request with a few resources, scopes and spans. */
export function randomRequest(random: Random): OtlpRequest {
  return {
    resourceSpans: several(random, 3, () => ({
      ...maybe(random, {
        resource: { attributes: several(random, 5, () => attribute(random)), droppedAttributesCount: 2 },
      }),
      schemaUrl: "https://opentelemetry.io/schemas/1.40.0",
      scopeSpans: several(random, 3, () => ({
        ...maybe(random, {
          scope: { name: "scope", ...maybe(random, { version: "1.2.3" }), attributes: [attribute(random)] },
        }),
        spans: several(random, 5, () => span(random)),
      })),
    })),
  };
}

function span(random: Random): OtlpSpan {
  return {
    traceId: id(random, 16),
    spanId: id(random, 8),
    ...maybe(random, { parentSpanId: id(random, 8) }),
    ...maybe(random, { name: text(random) }),
    ...maybe(random, { startTimeUnixNano: nanos(random), endTimeUnixNano: nanos(random) }),
    ...maybe(random, { status: { code: random(4), message: "what went wrong" } }),
    attributes: several(random, 12, () => attribute(random)),
    traceState: "ot=th:8",
    flags: 257,
    kind: random(6),
    droppedAttributesCount: random(3),
    events: [{ timeUnixNano: nanos(random), name: "event", attributes: [attribute(random)] }],
    links: [{ traceId: id(random, 16), spanId: id(random, 8), attributes: [attribute(random)] }],
  };
}

function attribute(random: Random): OtlpAttribute {
  return { key: keys[random(keys.length)] ?? "", ...maybe(random, { value: any(random, 0) }) };
}

function any(random: Random, depth: number): OtlpAny {
  switch (random(depth > 3 ? 6 : 9)) {
    case 0:
      return {};
    case 1:
      return { boolValue: random(2) === 1 };
    case 2:
      return { intValue: integer(random) };
    case 3:
      return { doubleValue: (random(2 ** 31) - 2 ** 30) / 2 ** random(40) + 0.5 };
    case 4:
    case 5:
      return { stringValue: text(random) };
    case 6:
      return { arrayValue: { values: several(random, 4, () => any(random, depth + 1)) } };
    case 7:
      return { kvlistValue: { values: [{ key: "k", value: any(random, depth + 1) }] } };
    default:
      return { bytesValue: Buffer.from(text(random)).toString("base64") };
  }
}

/** All magnitudes of int64, both signs, dense around 2^53. */
function integer(random: Random): string {
  const magnitude = (BigInt(random(2 ** 32)) << 32n) | BigInt(random(2 ** 32));
  const near = random(3) === 0 ? (1n << 53n) + BigInt(random(5) - 2) : magnitude >> BigInt(random(64));
  return BigInt.asIntN(64, random(2) === 0 ? near : -near).toString();
}

function nanos(random: Random): string {
  return (1_700_000_000_000_000_000n + BigInt(random(2 ** 32)) * 1_000_003n).toString();
}

function text(random: Random): string {
  return texts[random(texts.length)] ?? "";
}

function id(random: Random, bytes: number): string {
  return Array.from({ length: bytes }, () => (1 + random(255)).toString(16).padStart(2, "0")).join("");
}

function several<T>(random: Random, atMost: number, make: () => T): T[] {
  return Array.from({ length: random(atMost + 1) }, make);
}

function maybe<T extends object>(random: Random, fields: T): T | Record<string, never> {
  return random(4) === 0 ? {} : fields;
}
