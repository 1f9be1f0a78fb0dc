import { expect, it } from "vitest";
import { type Amounts, rowLength, rowNanoUsd } from "./amounts.ts";
import { searchSlices } from "./search-slices.ts";
import { otherUsers, SpendTable } from "./spend-table.ts";

const none = { input: 0, cacheRead: 0, cacheWrite: 0, output: 0, reasoning: 0 };
const call = (nanoUsd: number): Amounts => ({ calls: 1, retries: 0, tokens: none, nanoUsd: none, feeNanoUsd: nanoUsd });
const names = (index: number) => ({
  tenant: `t${index % 3}`,
  feature: "chat",
  model: "m",
  promptVersion: "",
  user: `u${index}`,
});

function sum(table: SpendTable, period: "before" | "after"): number {
  const rows = table.rows(period);
  let total = 0;
  for (let cell = 0; cell < table.size; cell++) total += rowNanoUsd(rows, cell * rowLength);
  return total;
}

it("keeps every nano-dollar when it is full, under coarser names", () => {
  const table = new SpendTable(100);
  for (let index = 0; index < 5000; index++) {
    table.add("before", names(index), call(index));
    table.add("after", { ...names(index), tenant: `t${index}` }, call(7));
  }
  // 0 + 1 + ... + 4999, and 5000 times 7.
  expect(sum(table, "before")).toBe(12_497_500);
  expect(sum(table, "after")).toBe(35_000);
  expect(table.size).toBeLessThanOrEqual(100 + 257);
  const users = new Set(Array.from(table.ids("user"), (id) => table.name("user", id)));
  expect(users.has(otherUsers)).toBe(true);
});

it("adds nothing that is not finite", () => {
  const table = new SpendTable();
  table.add("before", names(1), call(Number.NaN));
  table.add("before", names(1), call(Number.POSITIVE_INFINITY));
  table.add("before", names(1), call(5));
  expect(sum(table, "before")).toBe(5);
});

it("finds nothing in an empty table, in one cell, and where nothing changed", () => {
  const table = new SpendTable();
  expect(searchSlices(table, 1)).toEqual([]);
  table.add("after", names(1), call(1e9));
  expect(searchSlices(table, 1)).toEqual([]);
  table.add("before", names(1), call(1e9));
  expect(searchSlices(table, 1)).toEqual([]);
});

it("finds what fell as well as what rose, and two causes apart", () => {
  const table = new SpendTable();
  for (let index = 0; index < 300; index++) {
    const feature = `f${index % 5}`;
    const usual = 1e6 * (50 + ((index * 7) % 11));
    const factor = feature === "f1" ? 3 : feature === "f4" ? 2.5 : 1;
    table.add("before", { ...names(index), feature }, call(usual));
    table.add("after", { ...names(index), feature }, call(usual * factor + 1e6 * ((index * 3) % 5)));
  }
  expect(searchSlices(table, 1).map(({ names: found }) => found)).toEqual([{ feature: "f1" }, { feature: "f4" }]);
});
