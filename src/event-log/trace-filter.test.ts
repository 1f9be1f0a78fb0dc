import { expect, it } from "vitest";
import { TraceFilter } from "./trace-filter.ts";

/** Ids as random ones are: a digest of a number. */
function idOf(number: number): string {
  let state = Math.imul(number + 1, 0x9e3779b1) >>> 0;
  return Array.from({ length: 4 }, () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5) >>> 0;
    return (state ^ (state >>> 12)).toString(16).slice(-8).padStart(8, "0");
  })
    .join("")
    .replaceAll("-", "0");
}

const many = 300_000;

it("has every trace that was added, however much it has grown, and few others", () => {
  const filter = new TraceFilter();
  for (let number = 0; number < many; number++) filter.add(number % 50, idOf(number));
  let missing = 0;
  for (let number = 0; number < many; number++) if (!filter.mayHave(number % 50, idOf(number))) missing++;
  expect(missing).toBe(0);
  let others = 0;
  for (let number = 0; number < many; number++) if (filter.mayHave(number % 50, idOf(many + number))) others++;
  expect(others / many).toBeLessThan(0.04);
});

it("tells tenants of one trace apart, mostly", () => {
  const filter = new TraceFilter();
  for (let number = 0; number < 10_000; number++) filter.add(1, idOf(number));
  let others = 0;
  for (let number = 0; number < 10_000; number++) if (filter.mayHave(2, idOf(number))) others++;
  expect(others).toBeLessThan(400);
});

it("has ids that count up, and what is no id", () => {
  const filter = new TraceFilter();
  const ids = Array.from({ length: 70_000 }, (_, number) => number.toString(16).padStart(32, "0"));
  for (const id of ids) filter.add(0, id);
  filter.add(0, "");
  expect([...ids, ""].every((id) => filter.mayHave(0, id))).toBe(true);
});
