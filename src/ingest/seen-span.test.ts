/** What the index remembers of a span must be the same under every version: spans of before are compared with those of now. */

import { expect, it } from "vitest";
import { noUsage } from "../model/usage.ts";
import type { UsageRecord } from "../model/usage-record.ts";
import { sampleRecords } from "../store/sample-records.ts";
import { seenSpanOf } from "./seen-span.ts";

const [sample] = [...sampleRecords({ count: 1, startMs: Date.UTC(2026, 10, 1), spanMs: 1 })];
const emitter = { dialect: "otel-genai", level: "provider", scope: "app@1.0" } as const;

function seen(over: Partial<UsageRecord>) {
  return seenSpanOf({ ...(sample as UsageRecord), ...over }, emitter);
}

/** FNV-1a over the text. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const character of text) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  return hash | 0;
}

it.each([
  [0, 7],
  [9, 10],
  [120, 40],
  [1_000_000, 99_999],
  [3_999_999_999, 1_000_000_001],
])("hashes a call of %i and %i tokens as the text of its kind and its totals", (input, output) => {
  const usage = { ...noUsage, input, output };
  expect(seen({ operation: "chat", usage }).callHash).toBe(hashOf(`generation ${input} ${output}`));
  expect(seen({ operation: "embeddings", usage }).callHash).toBe(hashOf(`embeddings ${input} ${output}`));
});

it("has no hash of a call without tokens, and one of its model's family and of its emitter's name without version", () => {
  expect(seen({ usage: noUsage }).callHash).toBe(0);
  expect(seen({ model: "openai/GPT-4o-2024-08-06" }).modelHash).toBe(hashOf("gpt-4o") & 0xffff);
  expect(seen({}).emitterHash).toBe(hashOf("otel-genai app") & 0xffff);
});
