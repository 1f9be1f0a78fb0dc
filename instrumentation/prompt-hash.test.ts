import { createHmac } from "node:crypto";
import { expect, it } from "vitest";
import { hashPrompt } from "./prompt-hash.ts";

const keyed = (key: string) => (text: string) => createHmac("sha256", key).update(text).digest("hex");
const request = {
  model: "gpt-4o",
  temperature: 0,
  messages: [
    { role: "system", content: "Answer in one word." },
    { role: "user", content: "What is the capital of France?" },
  ],
};

function hashed(body: Readonly<Record<string, unknown>>, key = "key", characters = 100) {
  return hashPrompt(keyed(key), { api: "openai.chat", model: "gpt-4o", body, characters });
}

it("is the same for the same question, whoever asks, streamed or not, in whatever order of fields", () => {
  const { model, messages, temperature } = request;
  expect(hashed(request)).toMatch(/^[0-9a-f]{16}$/);
  expect(hashed({ messages, temperature, model })).toBe(hashed(request));
  const labelled = { user: "u1", metadata: { session: "s" }, stream: true, stream_options: { include_usage: true } };
  expect(hashed({ ...labelled, ...request })).toBe(hashed(request));
});

it("differs with anything that an answer depends on, also in the last character of a long prompt", () => {
  const picture = (url: string) => ({ type: "image_url", image_url: { url } });
  const long = "x".repeat(100_000);
  const bodies = [
    request,
    { ...request, temperature: 0.7 },
    { ...request, seed: 2 },
    { ...request, tools: [{ type: "function", function: { name: "look", parameters: { a: 1 } } }] },
    { ...request, tools: [{ type: "function", function: { name: "look", parameters: { a: 2 } } }] },
    { ...request, messages: [{ role: "user", content: [picture("data:image/png;base64,AAAA")] }] },
    { ...request, messages: [{ role: "user", content: [picture("data:image/png;base64,AAAB")] }] },
    { ...request, messages: [{ role: "user", content: `${long}a` }] },
    { ...request, messages: [{ role: "user", content: `${long}b` }] },
  ];
  expect(new Set(bodies.map((body) => hashed(body))).size).toBe(bodies.length);
  expect(hashed(request, "another key")).not.toBe(hashed(request));
});

it("is not made of more than a mebibyte of characters", () => {
  expect(hashed(request, "key", 1_048_577)).toBeUndefined();
});
