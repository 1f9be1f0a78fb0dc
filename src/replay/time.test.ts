import { expect, test } from "vitest";
import { parseDurationUs, parseRfc3339Us } from "./time.ts";

test.each([
  ["1970-01-01T00:00:00Z", 0],
  ["2023-11-16T18:15:46.680590Z", 1_700_158_546_680_590],
  ["2023-11-16 18:15:46.6805900Z", 1_700_158_546_680_590],
  ["2023-11-16T18:15:46.68059049Z", 1_700_158_546_680_590],
  ["2023-11-16T23:45:46.5+05:30", 1_700_158_546_500_000],
  ["2023-11-16T13:15:46-05:00", 1_700_158_546_000_000],
  ["2024-02-29t00:00:00z", 1_709_164_800_000_000],
])("%s is %i microseconds", (text, us) => {
  expect(parseRfc3339Us(text)).toBe(us);
});

test.each([
  "",
  "now",
  "2023-11-16",
  "2023-11-16T18:15:46",
  "2023-02-30T00:00:00Z",
  "2023-13-01T00:00:00Z",
  "2023-01-01T24:00:00Z",
  "2023-01-01T00:60:00Z",
  "2023-01-01T00:00:00+25:00",
])("%j is no RFC 3339 time", (text) => {
  expect(parseRfc3339Us(text)).toBeUndefined();
});

test.each([
  ["90s", 90e6],
  ["10m", 600e6],
  ["1.5h", 5400e6],
  ["2d", 172_800e6],
])("%s is %i microseconds long", (text, us) => {
  expect(parseDurationUs(text)).toBe(us);
});

test.each(["", "10", "m", "-10m", "10 m", "1e3s"])("%j is no duration", (text) => {
  expect(parseDurationUs(text)).toBeUndefined();
});
