import { expect, test } from "vitest";
import { replayIds } from "./replay-ids.ts";

const source = { fileHash: "aa", injectHash: "bb", salt: "" };

test("ids are the same for ever: these are golden", () => {
  const ids = replayIds(source);
  expect([ids.set, ids.traceId("7"), ids.spanId("7")]).toEqual([
    "7a7b65ff80f13443",
    "7a7b65ff80f13443d373275f4cb53e33",
    "54e16d6d6014760e",
  ]);
});

test("all trace ids begin with the set and have 32 digits, span ids have 16", () => {
  const ids = replayIds(source);
  expect(ids.traceId("x")).toMatch(new RegExp(`^${ids.set}[0-9a-f]{16}$`));
  expect(ids.spanId("x")).toMatch(/^[0-9a-f]{16}$/);
});

test.each([{ fileHash: "ab" }, { injectHash: "" }, { salt: "2" }])("another set for %j", (other) => {
  expect(replayIds({ ...source, ...other }).set).not.toBe(replayIds(source).set);
});

test("a hundred thousand spans have as many ids", () => {
  const ids = replayIds(source);
  const seen = new Set(Array.from({ length: 100_000 }, (_, row) => ids.spanId(String(row))));
  expect(seen.size).toBe(100_000);
});
