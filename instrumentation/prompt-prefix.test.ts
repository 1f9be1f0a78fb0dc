import { createHmac } from "node:crypto";
import { expect, it } from "vitest";
import { rememberPrefixes } from "./prompt-prefix.ts";

const hash = (text: string) => createHmac("sha256", "key").update(text).digest("hex");
const letters = (count: number, first = 0) =>
  Array.from({ length: count }, (_, at) => String.fromCharCode(97 + ((first + at) % 23))).join("");

it("counts whole blocks of 64 characters that repeat the prompt before it, per series", () => {
  const prefixes = rememberPrefixes(hash);
  expect(prefixes.measure("a", [letters(1000)])?.stablePrefixCharacters).toBeUndefined();
  expect(prefixes.measure("b", [letters(1000)])?.stablePrefixCharacters).toBeUndefined();
  expect(prefixes.measure("a", [`${letters(500)}!${letters(499)}`])?.stablePrefixCharacters).toBe(448);
  expect(prefixes.measure("a", [`${letters(500)}!${letters(499)}`])?.stablePrefixCharacters).toBe(960);
  expect(prefixes.measure("a", [`!${letters(999)}`])?.stablePrefixCharacters).toBe(0);
});

it("a remembered hash is the one that would be made anew, wherever texts begin and end", () => {
  const splits = [0, 1, 63, 64, 960, 1022, 1023, 1024, 1025, 1087, 1088];
  const prompts = splits.flatMap((at) =>
    [1023, 1024, 1025, 1088, 1200].map((size) => [letters(at), letters(Math.max(0, size - at), at)]),
  );
  const remembering = rememberPrefixes(hash);
  for (const prompt of prompts) {
    for (const next of prompts) {
      remembering.measure("a", prompt);
      const fresh = rememberPrefixes(hash).measure("a", next)?.prefixHash;
      expect(remembering.measure("a", next)?.prefixHash).toBe(fresh);
    }
  }
});
