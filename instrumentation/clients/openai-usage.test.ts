import { expect, it } from "vitest";
import { readEdges } from "../intercept/body-observer.ts";
import { readOpenaiUsage } from "./openai-usage.ts";

it("reasoning beside the output (x.ai) is added to it, reasoning within it is not", () => {
  const details = { completion_tokens_details: { reasoning_tokens: 50 } };
  const beside = { prompt_tokens: 10, completion_tokens: 20, total_tokens: 80, ...details };
  const within = { prompt_tokens: 10, completion_tokens: 70, total_tokens: 80, ...details };
  expect(readOpenaiUsage(beside)).toMatchObject({ output: 70, reasoning: 50 });
  expect(readOpenaiUsage(within)).toMatchObject({ output: 70, reasoning: 50 });
});

it("cache counts are read in the spellings of DeepSeek, Moonshot and OpenRouter", () => {
  expect(readOpenaiUsage({ prompt_tokens: 10, prompt_cache_hit_tokens: 4 })?.cacheRead).toBe(4);
  expect(readOpenaiUsage({ prompt_tokens: 10, cached_tokens: 5 })?.cacheRead).toBe(5);
  const details = { cached_tokens: 1, cache_write_tokens: 6 };
  expect(readOpenaiUsage({ prompt_tokens: 10, prompt_tokens_details: details })?.cacheWrite).toBe(6);
});

it("nonsense is no usage", () => {
  for (const value of [
    null,
    [],
    "x",
    {},
    { prompt_tokens: -1 },
    { prompt_tokens: "5" },
    { prompt_tokens: Number.NaN },
  ]) {
    expect(readOpenaiUsage(value)).toBeNull();
  }
});

it("of a body too large to parse, usage and labels are found at its ends", () => {
  const head = '{"id":"chat-1","model":"gpt-4o","choices":[{"message":{"content":"usage: {';
  const tail = 'xx"}}],"usage":{"prompt_tokens":5,"details":{"a":1},"completion_tokens":7}}';
  let read: unknown;
  readEdges({ readResponse: (body: unknown) => (read = body) } as never, head, tail);
  expect(read).toEqual({
    id: "chat-1",
    model: "gpt-4o",
    usage: { prompt_tokens: 5, details: { a: 1 }, completion_tokens: 7 },
  });
});
