import { describe, expect, it } from "vitest";
import { seededRandom } from "../ingest/otlp-random.ts";
import type { AttributeValue, Span } from "../model/span.ts";
import type { DialectExample, Reading } from "./dialect.ts";
import { dialectOf, dialects, keepsAttribute } from "./dialects.ts";
import { exampleSpan } from "./example-span.ts";

function spanOf({ scope = "", attributes }: Omit<DialectExample, "name" | "expected">): Span {
  return exampleSpan({ scope, attributes });
}

function expectSound(reading: Reading | null | undefined): void {
  if (reading == null) return;
  for (const count of Object.values(reading.usage ?? {})) expect(Number.isSafeInteger(count) && count >= 0).toBe(true);
  if (reading.modalities !== null) {
    const { usage, modalities } = reading;
    for (const count of Object.values(modalities)) expect(count).toBeGreaterThanOrEqual(0);
    expect(modalities.audioInput + modalities.imageInput).toBeLessThanOrEqual(usage?.input ?? 0);
    expect(modalities.audioCacheRead + modalities.imageCacheRead).toBeLessThanOrEqual(usage?.cacheRead ?? 0);
    expect(modalities.audioOutput + modalities.imageOutput).toBeLessThanOrEqual(usage?.output ?? 0);
  }
  if (reading.reportedNanoUsd !== null) expect(Number.isSafeInteger(reading.reportedNanoUsd)).toBe(true);
  expect(reading.unknownUsageKeys.length).toBeLessThanOrEqual(8);
  expect(new Set(reading.flags).size).toBe(reading.flags.length);
}

describe.each(dialects)("$name", (dialect) => {
  it.each(dialect.examples)("reads $name", (example) => {
    const span = spanOf(example);
    expect(dialectOf(span)?.name).toBe(dialect.name);
    expect(dialect.read(span)).toMatchObject(example.expected);
  });

  it("reads any value under any of its keys without throwing, and never a negative or fractional bucket", () => {
    const random = seededRandom(5);
    const keys = [...dialect.keys, ...dialect.jsonKeys, ...dialect.keyPrefixes.map((prefix) => `${prefix}x`)];
    for (const [index, example] of dialect.examples.entries()) {
      for (const key of index === 0 ? keys : []) {
        for (const value of oddValues) {
          expectSound(dialect.read(spanOf({ ...example, attributes: { ...example.attributes, [key]: value } })));
        }
      }
      for (let round = 0; round < 200; round++) {
        const attributes: Record<string, AttributeValue> = {};
        for (const key of Object.keys(example.attributes)) {
          if (random(3) > 0) attributes[key] = oddValues[random(oddValues.length)] ?? "";
        }
        for (let n = random(20); n > 0; n--) {
          attributes[keys[random(keys.length)] ?? ""] = oddValues[random(oddValues.length)] ?? "";
        }
        const span = spanOf({ ...example, attributes });
        expect(dialect.read(span) !== null).toBe(dialect.keeps(span));
        expectSound(dialect.read(span));
        // Whatever the log holds is read, also what an older allow-list let through.
        expectSound(dialect.read({ ...span, attributes }));
      }
    }
  });

  it("has an allow-list that holds every key its examples read", () => {
    for (const { attributes } of dialect.examples) {
      for (const key of Object.keys(attributes))
        if (dialect.keys.includes(key)) expect(keepsAttribute(key)).toBeTruthy();
    }
  });
});

const oddValues: readonly AttributeValue[] = [
  "",
  "x",
  "NaN",
  "-1",
  "1e999",
  "12",
  "0x10",
  "{}",
  "[]",
  '{"input": 3, "deep": {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}}',
  '{"input": "secret", "output": null, "x": [1]}',
  '{"input": 1e400, "__proto__": 7, "constructor": 8}',
  '{"input": ',
  "x".repeat(100_000),
  "[".repeat(50_000),
  0,
  7,
  -1,
  0.5,
  1e9,
  1e9 + 1,
  2 ** 60,
  Number.NaN,
  Infinity,
  -Infinity,
  true,
  [],
  [[]],
  [5],
  ["6"],
  ["a", 1],
];

it("keeps no prompt, no completion, no tool argument and no header", () => {
  const secrets = [
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.tool.definitions",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
    "gen_ai.prompt",
    "gen_ai.prompt.0.content",
    "gen_ai.completion",
    "input.value",
    "output.value",
    "llm.input_messages.0.message.content",
    "llm.prompts",
    "metadata",
    "ai.prompt",
    "ai.prompt.messages",
    "ai.response.text",
    "ai.toolCall.args",
    "traceloop.entity.input",
    "traceloop.entity.output",
    "langfuse.observation.input",
    "langfuse.observation.output",
    "langfuse.trace.input",
    "langsmith.metadata",
    "http.request.header.authorization",
    "url.full",
    "exception.message",
  ];
  expect(secrets.filter(keepsAttribute)).toEqual([]);
});

it("keeps of usage families and JSON attributes nothing but numbers", () => {
  const canary = "my secret prompt";
  const hidden = [
    canary,
    [canary],
    `{"text": "${canary}", "${canary}": 5, "a": ["${canary}"]}`,
    `{"x": "${canary}`,
    true,
  ];
  const families = dialects.flatMap(({ jsonKeys, keyPrefixes }) => [...jsonKeys, ...keyPrefixes.map((p) => `${p}new`)]);
  for (const key of families) {
    for (const value of hidden) {
      const { attributes } = exampleSpan({ attributes: { [key]: value } });
      expect(JSON.stringify(attributes)).not.toContain("secret");
      expect(Object.values(attributes).every((left) => typeof left === "number")).toBe(true);
    }
  }
});

it("reads a sum over an agent's calls as a wrapper that is flagged, and nothing where it carries no tokens", () => {
  for (const operation of ["invoke_agent", "invoke_workflow", "agent_step", "plan"]) {
    const name = { "gen_ai.operation.name": operation };
    const span = exampleSpan({ attributes: { ...name, "gen_ai.usage.input_tokens": 5 } });
    expect(dialectOf(span)?.read(span)).toMatchObject({
      operation: "invoke_agent",
      level: "wrapper",
      usage: { input: 5 },
      flags: ["usage_aggregated"],
    });
    expect(dialectOf(exampleSpan({ attributes: name }))).toBeUndefined();
  }
});

it("reads tokens under an unknown operation as a wrapper that is flagged", () => {
  for (const operation of ["sing", "constructor", ""]) {
    const name = { "gen_ai.operation.name": operation };
    const span = exampleSpan({ attributes: { ...name, "gen_ai.usage.input_tokens": 5 } });
    expect(dialectOf(span)?.read(span)).toMatchObject({
      operation: "chat",
      level: "wrapper",
      flags: ["operation_unknown"],
    });
    expect(dialectOf(exampleSpan({ attributes: name }))).toBeUndefined();
  }
});

it("reads no operation that repeats a call or that nobody bills", () => {
  for (const operation of ["create_agent", "fetch_response", "count_tokens"]) {
    const attributes = { "gen_ai.operation.name": operation, "gen_ai.usage.input_tokens": 5 };
    expect(dialectOf(exampleSpan({ attributes }))).toBeUndefined();
  }
});

it("speaks for no span without an LLM attribute, whatever its scope", () => {
  for (const scope of ["", "ai", "litellm", "@opentelemetry/instrumentation-http@0.200.0"]) {
    expect(dialectOf(exampleSpan({ scope, attributes: { "http.request.method": "GET" } }))).toBeUndefined();
  }
});

it("lets the scope decide before the keys", () => {
  const attributes = { "openinference.span.kind": "LLM", "llm.token_count.prompt": 3, "gen_ai.usage.input_tokens": 4 };
  const read = (scope: string) => {
    const span = exampleSpan({ scope, attributes });
    return dialectOf(span)?.read(span);
  };
  expect(read("my-app")).toMatchObject({ dialect: "openinference", usage: { input: 3 } });
  expect(read("com.anthropic.sdk.typescript@1.12.0")).toMatchObject({
    dialect: "anthropic-native",
    usage: { input: 4 },
  });
});
