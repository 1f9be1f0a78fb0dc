import { expect, test } from "vitest";
import { cut, plainText, renderTable, tableOptions } from "./table.ts";

const columns = [{ title: "model" }, { title: "calls", align: "right" as const }];
const rows = [
  ["gpt-4o", "1,234"],
  ["claude-opus-4-5-20251101", "7"],
];

test("columns are aligned, numbers to the right, the header underlined", () => {
  expect(renderTable(columns, rows, { width: undefined, colour: false })).toBe(
    [
      "model                     calls",
      "────────────────────────  ─────",
      "gpt-4o                    1,234",
      "claude-opus-4-5-20251101      7",
      "",
    ].join("\n"),
  );
});

test("texts are cut with … to the width of the terminal, numbers are not", () => {
  const table = renderTable(columns, rows, { width: 20, colour: false });
  expect(table.split("\n")).toEqual([
    "model          calls",
    "─────────────  ─────",
    "gpt-4o         1,234",
    "claude-opus-…      7",
    "",
  ]);
});

test("lines are cut where nothing else helps", () => {
  for (const line of renderTable(columns, rows, { width: 8, colour: false }).trimEnd().split("\n")) {
    expect(line.length).toBeLessThanOrEqual(8);
  }
});

test("wide characters take two columns", () => {
  expect(
    renderTable(
      [{ title: "a" }, { title: "b" }],
      [
        ["日本", "x"],
        ["abcd", "y"],
      ],
      { width: undefined, colour: false },
    ),
  ).toBe("a     b\n────  ─\n日本  x\nabcd  y\n");
});

test("control characters of others do not reach the terminal", () => {
  expect(plainText("a\nb\u001b[31mc\u202ed")).toBe("a b\ufffd[31mc\ufffdd");
});

test("a text of exactly the width is not cut", () => {
  expect([cut("abcd", 4), cut("abcde", 4)]).toEqual(["abcd", "abc…"]);
});

test("only a terminal without NO_COLOR gets colours and a width", () => {
  expect(tableOptions({ isTTY: true, columns: 90 }, {})).toEqual({ width: 90, colour: true });
  expect(tableOptions({ isTTY: true, columns: 90 }, { NO_COLOR: "1" })).toEqual({ width: 90, colour: false });
  expect(tableOptions({}, {})).toEqual({ width: undefined, colour: false });
  expect(renderTable(columns, rows, { width: 90, colour: true })).toContain("\u001b[1mmodel");
});
