import { expect, it } from "vitest";
import { bindParameters } from "./bind-parameters.ts";
import { sampleRecords } from "./sample-records.ts";
import { encodeUsageRows, usageColumns } from "./usage-row.ts";

const records = [...sampleRecords({ count: 300, startMs: 1_763_625_600_000, spanMs: 60_000 })];

it("every line is JSON with one value per column, and equal batches give equal bytes", () => {
  const bytes = encodeUsageRows("log-1-300", records);
  expect(bytes.equals(encodeUsageRows("log-1-300", structuredClone(records)))).toBe(true);
  const lines = bytes.toString("utf8").trimEnd().split("\n");
  expect(lines).toHaveLength(records.length);
  for (const [index, line] of lines.entries()) {
    const row = JSON.parse(line) as unknown[];
    expect(row).toHaveLength(usageColumns.length);
    const at = (name: (typeof usageColumns)[number]) => row[usageColumns.indexOf(name)];
    expect(at("trace_id")).toBe(records[index]?.traceId);
    expect(at("input_uncached_tokens")).toBe(records[index]?.usage.input);
    expect(at("unpriced_calls")).toBe(records[index]?.costNanoUsd === null ? records[index]?.calls : 0);
    expect(at("batch")).toBe("log-1-300");
  }
});

it("dollars are written as whole nano-dollars, never as a float", () => {
  const [record] = records;
  if (record === undefined) throw new Error("no sample record");
  for (const [costNanoUsd, text] of [
    [0, "0e-9"],
    [-1, "-1e-9"],
    [123_456_789_012, "123456789012e-9"],
    [Number.MAX_SAFE_INTEGER, "9007199254740991e-9"],
    [null, "null"],
  ] as const)
    expect(encodeUsageRows("t", [{ ...record, costNanoUsd }]).toString()).toContain(`,${text},"${record.costStatus}"`);
});

it("parameters become literals of their type, and quoted braces stay", () => {
  expect(bindParameters("SELECT {a:String}, '{a:String}', `{a:String}`", { a: "it's \\ {a:String}" })).toBe(
    "SELECT CAST('it\\'s \\\\ {a:String}' AS String), '{a:String}', `{a:String}`",
  );
  expect(bindParameters("{n:UInt64} {l:Array(Date)}", { n: 5, l: ["2025-01-01"] })).toBe(
    "CAST('5' AS UInt64) CAST(['2025-01-01'] AS Array(Date))",
  );
  expect(() => bindParameters("{constructor:String}", {})).toThrow('query parameter "constructor" has no value');
});
