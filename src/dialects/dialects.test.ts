import { describe, expect, it } from "vitest";
import type { AttributeValue, Span } from "../model/span.ts";
import { dialectOf, dialects, keepsAttribute } from "./dialects.ts";

function spanWith(attributes: Readonly<Record<string, AttributeValue>>): Span {
  return {
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId: "b7ad6b7169203331",
    parentSpanId: "",
    name: "span",
    scope: "",
    startUs: 1,
    endUs: 2,
    status: "ok",
    attributes,
    resource: {},
  };
}

const oddValues: readonly AttributeValue[] = [
  "",
  "x",
  "NaN",
  "-1",
  "1e999",
  0,
  -1,
  0.5,
  Number.NaN,
  Infinity,
  true,
  [],
  [[]],
  ["a", 1],
];

describe.each(dialects)("$name", (dialect) => {
  it.each(dialect.examples)("reads $name", ({ attributes, expected }) => {
    const span = spanWith(attributes);
    expect(dialectOf(span)).toBe(dialect);
    const reading = dialect.read(span);
    expect(reading).toMatchObject(expected);
    expect(dialect.keeps(span)).toBe(true);
  });

  it("keeps every attribute that its examples show", () => {
    for (const example of dialect.examples) {
      for (const key of Object.keys(example.attributes)) expect([key, keepsAttribute(key)]).toEqual([key, true]);
    }
  });

  it("reads any value under any of its keys without throwing, and never a negative or fractional bucket", () => {
    for (const example of dialect.examples) {
      for (const key of dialect.keys) {
        for (const value of oddValues) {
          const usage = dialect.read(spanWith({ ...example.attributes, [key]: value }))?.usage;
          if (usage == null) continue;
          for (const count of Object.values(usage)) expect(Number.isSafeInteger(count) && count >= 0).toBe(true);
        }
      }
    }
  });
});

it("keeps no prompt, no completion, no tool argument and no header", () => {
  const secrets = [
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.tool.definitions",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
    "gen_ai.prompt",
    "gen_ai.completion",
    "http.request.header.authorization",
    "url.full",
    "exception.message",
  ];
  expect(secrets.filter(keepsAttribute)).toEqual([]);
});

it("reads roll-ups and unknown operations as no record", () => {
  for (const operation of ["invoke_agent", "create_agent", "invoke_workflow", "fetch_response", "constructor", ""]) {
    const span = spanWith({ "gen_ai.operation.name": operation, "gen_ai.usage.input_tokens": 5 });
    expect(dialectOf(span)?.read(span)).toBeNull();
    expect(dialectOf(span)?.keeps(span)).toBe(false);
  }
});

it("speaks for no span without an LLM attribute", () => {
  expect(dialectOf(spanWith({ "http.request.method": "GET" }))).toBeUndefined();
});
