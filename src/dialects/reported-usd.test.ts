import { expect, it } from "vitest";
import { numbersOnly } from "./numbers-only.ts";
import { providerName } from "./provider-names.ts";
import { reportedNanoUsd } from "./reported-usd.ts";
import { scopeOf, versionBelow } from "./scope.ts";

it("reads dollars digit by digit, rounded half to even", () => {
  const amounts: [number | string, number][] = [
    [0.005615, 5_615_000],
    ["0.005615", 5_615_000],
    [1.6e-7, 160],
    ["1.6E-07", 160],
    ["0.0000000005", 0],
    ["0.0000000015", 2],
    ["0.0000000025", 2],
    ["0.00000000250000000000000000001", 3],
    [12, 12_000_000_000],
    ["+3.", 3_000_000_000],
    [0.1 + 0.2, 300_000_000],
  ];
  for (const [usd, nano] of amounts) {
    expect([usd, reportedNanoUsd(usd)]).toEqual([usd, nano]);
  }
});

it("takes nothing for dollars that is no amount, is negative, or is more than a call can cost", () => {
  for (const value of ["", "free", "$1", "1,5", "NaN", "-1", -0.1, Number.NaN, Infinity, 1e9, "1e99", true, [1]]) {
    expect([value, reportedNanoUsd(value)]).toEqual([value, undefined]);
  }
});

it("flattens JSON, and what Python prints for it, to its numbers under allowed keys", () => {
  const python = "{'prompt_tokens': 5, 'details': {'cached': 3, 'audio': None}, 'ok': True}";
  const json = '{"prompt_tokens": 5, "details": {"cached": 3, "text": "secret"}, "other": 9}';
  for (const text of [python, json]) {
    expect(numbersOnly("u", text, (key) => key !== "u.other")).toEqual({ "u.prompt_tokens": 5, "u.details.cached": 3 });
  }
  expect(numbersOnly("u", "{'a': 'it's'}", () => true)).toEqual({ u: Number.NaN });
});

it("spells providers as OpenTelemetry does, and keeps Azure, Bedrock and Vertex apart from the makers", () => {
  const spellings: Readonly<Record<string, string>> = {
    "openai.chat": "openai",
    "openai.responses": "openai",
    "azure-openai.chat": "azure.ai.openai",
    azure: "azure.ai.openai",
    "anthropic.messages": "anthropic",
    "amazon-bedrock": "aws.bedrock",
    bedrock: "aws.bedrock",
    "google.generative-ai": "gcp.gemini",
    "google.vertex.chat": "gcp.vertex_ai",
    google_genai: "gcp.gemini",
    "mistral.chat": "mistral_ai",
    xai: "x_ai",
    OpenAI: "openai",
    "gcp.gemini": "gcp.gemini",
    "my-gateway": "my-gateway",
    "": "",
  };
  for (const [spelled, name] of Object.entries(spellings))
    expect([spelled, providerName(spelled)]).toEqual([spelled, name]);
});

it("takes scopes apart and compares versions by their numbers", () => {
  expect(scopeOf("@traceloop/instrumentation-openai@0.27.0")).toEqual({
    name: "@traceloop/instrumentation-openai",
    version: "0.27.0",
  });
  expect(scopeOf("@scope/name")).toEqual({ name: "@scope/name", version: "" });
  expect([versionBelow("0.27.0", "0.28.0"), versionBelow("0.28.0", "0.28.0"), versionBelow("1.0", "0.28.0")]).toEqual([
    true,
    false,
    false,
  ]);
  expect(versionBelow("next", "0.28.0")).toBe(false);
});
