/** What deploy/ says about capacity is made of the results that are kept, and of the topics as they are. */

import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { type CapacityResults, capacityResults } from "./bench/capacity.ts";
import { capacityDocument } from "./bench/write-capacity.ts";

const results = JSON.parse(readFileSync(capacityResults, "utf8")) as CapacityResults;

it("is the document that the results make (else: node test/bench/write-capacity.ts)", () => {
  expect(readFileSync(new URL("../deploy/CAPACITY.md", import.meta.url), "utf8")).toBe(capacityDocument(results));
});

it("says where one process ends, how long topics are kept, and of which commit the numbers are", () => {
  const text = capacityDocument({ ...results, commit: "abc1234" });
  // 1e6 / (8.4 * 0.61) = 195,160 and 1e6 / (3.1 * 0.16) = 2,016,129 spans/s.
  expect(text).toContain("| the one process that watches wholes, busy | 0.0 to 0.5 % | 5 to 51 % | not possible |");
  expect(text).toContain("200,000 to 2,000,000 spans/s");
  // Three days of spans and an hour of memory beyond, two segments and the one that goes whole: 72 + 1 + 2 + 1.
  expect(text).toMatch(/memory 52 bytes a span for 76 h, deltas 37 bytes a span for 121 h/);
  expect(text).toContain("at commit\nabc1234 on");
});
