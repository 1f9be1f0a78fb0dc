import { expect, it } from "vitest";
import { observation, usageRecord } from "./observation-samples.ts";
import { isSameModel, silentFallback } from "./silent-fallback.ts";

it.each([
  ["gpt-4o-2024-08-06", "gpt-4o"],
  ["openai/gpt-4o", "gpt-4o"],
  ["GPT-4o", "gpt-4o"],
  ["claude-sonnet-4-5-20250929", "claude-sonnet-4-5"],
  ["claude-3-5-haiku-20241022", "claude-3-5-haiku-latest"],
  ["gemini-2.0-flash-001", "gemini-2.0-flash"],
  ["anthropic.claude-3-5-sonnet-20240620-v1:0", "anthropic.claude-3-5-sonnet"],
])("%s is an answer of %s", (model, requestModel) => {
  expect(isSameModel(model, requestModel)).toBe(true);
});

it.each([
  ["gpt-4o-mini", "gpt-4o"],
  ["o1", "gpt-4o"],
  ["claude-sonnet-4-5-20250929", "claude-haiku-4-5"],
  ["gemini-2.0-flash-lite", "gemini-2.0-flash"],
])("%s is another model than %s", (model, requestModel) => {
  expect(isSameModel(model, requestModel)).toBe(false);
});

it("says what the fallback costs beyond the usual call", () => {
  const state = silentFallback.newState();
  const context = { alarmAt: 1e7, settings: silentFallback.settings, parent: null };
  const call = (index: number, model: string, nanoUsd: number) => {
    const record = usageRecord({ requestModel: "gpt-4o", model }, index);
    return silentFallback.observe(state, observation({ atMs: index * 1000, nanoUsd, record }, index), context);
  };
  for (let index = 1; index <= 500; index++) expect(call(index, "gpt-4o-2024-08-06", 1e6)).toEqual([]);
  let index = 500;
  let verdicts = call(++index, "o1", 7e6);
  while (verdicts.length === 0) verdicts = call(++index, "o1", 7e6);
  expect(verdicts).toMatchObject([{ kind: "silent_fallback", status: "firing", observed: 1, expected: 0 }]);
  // Six nano-cents more for each call answered by o1, all of which are part of it.
  expect(verdicts[0]?.impactNanoUsd).toBe((index - 500) * 6e6);
  expect(index - 500).toBeLessThan(20);
});
