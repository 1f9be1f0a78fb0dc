import { expect, test } from "vitest";
import { nearestName } from "./nearest-name.ts";

const columns = ["timestamp", "tenant", "feature", "input_tokens", "output_tokens", "run"];

test.each([
  ["feture", "feature"],
  ["FEATURE", "feature"],
  ["tennat", "tenant"],
  ["input_token", "input_tokens"],
  ["inputTokens", "input_tokens"],
  ["output_tokens", "output_tokens"],
  ["ruun", "run"],
])("%s was probably meant to be %s", (name, meant) => {
  expect(nearestName(name, columns)).toBe(meant);
});

test.each(["", "x", "colour", "zzzzzzzzzz"])("nothing is near %j", (name) => {
  expect(nearestName(name, columns)).toBeUndefined();
});

test("the first of equally near names wins", () => {
  expect(nearestName("cat", ["bat", "hat"])).toBe("bat");
});

test("there may be no candidates", () => {
  expect(nearestName("anything", [])).toBeUndefined();
});
