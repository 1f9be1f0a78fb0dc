import { expect, it } from "vitest";
import { seededRandom } from "../store/sample-records.ts";
import { timeSegments } from "./time-segments.ts";

const at = (text: string) => Date.parse(text);
const shown = (range: { fromMs: number; toMs: number }, coarsest: "records" | "slots" | "days") =>
  timeSegments(range, coarsest).map(
    ({ source, fromMs, toMs }) => `${source} ${new Date(fromMs).toISOString()} ${new Date(toMs).toISOString()}`,
  );

const range = { fromMs: at("2025-11-18T05:07:00.001Z"), toMs: at("2025-11-21T06:31:00Z") };

it("days stand in the middle, slots around them and records at the edges", () => {
  expect(shown(range, "days")).toEqual([
    "records 2025-11-18T05:07:00.001Z 2025-11-18T05:15:00.000Z",
    "slots 2025-11-18T05:15:00.000Z 2025-11-19T00:00:00.000Z",
    "days 2025-11-19T00:00:00.000Z 2025-11-21T00:00:00.000Z",
    "slots 2025-11-21T00:00:00.000Z 2025-11-21T06:30:00.000Z",
    "records 2025-11-21T06:30:00.000Z 2025-11-21T06:31:00.000Z",
  ]);
});

it("slots answer alone where no whole day fits or hours are asked for", () => {
  const whole = { fromMs: at("2025-11-18T05:15:00Z"), toMs: at("2025-11-19T05:15:00Z") };
  expect(shown(whole, "days")).toEqual(["slots 2025-11-18T05:15:00.000Z 2025-11-19T05:15:00.000Z"]);
  expect(shown({ fromMs: at("2025-11-18T00:00:00Z"), toMs: at("2025-11-20T00:00:00Z") }, "slots")).toEqual([
    "slots 2025-11-18T00:00:00.000Z 2025-11-20T00:00:00.000Z",
  ]);
});

it("records answer alone for a short range and for dimensions that rollups lack", () => {
  expect(shown({ fromMs: at("2025-11-18T05:07:00Z"), toMs: at("2025-11-18T06:59:00Z") }, "days")).toHaveLength(1);
  expect(shown(range, "records")).toHaveLength(1);
});

it("segments of any range touch, cover it and are whole in their table", () => {
  const random = seededRandom(3);
  for (let round = 0; round < 2000; round++) {
    const fromMs = Math.floor(random() * 5 * 86_400_000);
    const toMs = fromMs + 1 + Math.floor(random() ** 3 * 9 * 86_400_000);
    const segments = timeSegments({ fromMs, toMs }, round % 2 === 0 ? "days" : "slots");
    expect(segments[0]?.fromMs).toBe(fromMs);
    expect(segments.at(-1)?.toMs).toBe(toMs);
    for (const [index, segment] of segments.entries()) {
      expect(segment.toMs).toBeGreaterThan(segment.fromMs);
      if (index > 0) expect(segment.fromMs).toBe(segments[index - 1]?.toMs);
      const unit = { records: 1, slots: 900_000, days: 86_400_000 }[segment.source];
      expect(segment.fromMs % unit).toBe(0);
      expect(segment.toMs % unit).toBe(0);
    }
  }
});
