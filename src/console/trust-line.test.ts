import { expect, test } from "vitest";
import { trustLine } from "./trust-line.ts";

test.each([
  [{ completeness: 0.9997, unpricedShare: 0.004, lagSeconds: 2 }, "99.97 % accounted · 0.4 % unpriced · lag 2 s"],
  [{ completeness: 1, unpricedShare: 0, lagSeconds: 0 }, "100 % accounted · 0 % unpriced · lag 0 s"],
  [
    { completeness: 0.9999999, unpricedShare: 0.0000001, lagSeconds: 0.34 },
    "99.99 % accounted · 0.01 % unpriced · lag 0.3 s",
  ],
  [{ completeness: 0.07, unpricedShare: 0.07, lagSeconds: 99.4 }, "7 % accounted · 7 % unpriced · lag 99 s"],
  [{ completeness: null, unpricedShare: null, lagSeconds: null }, "accounted unknown · unpriced unknown · lag unknown"],
  [
    { completeness: 1, lagSeconds: 0, missingSpans: "metrics say 3.0 % more input tokens than spans of service bot" },
    "100 % accounted · lag 0 s · metrics say 3.0 % more input tokens than spans of service bot",
  ],
  [{ completeness: 1, lagSeconds: 0, missingSpans: null }, "100 % accounted · lag 0 s"],
  [{ completeness: null, lagSeconds: 600 }, "accounted unknown · lag 10 min"],
])("%j", (trust, line) => {
  expect(trustLine(trust)).toBe(line);
});
