import { describe, expect, it } from "vitest";
import { ClickhouseError } from "./clickhouse-error.ts";
import { bindClickhouseParameters } from "./clickhouse-parameters.ts";

function bind(sql: string, values: Readonly<Record<string, string>> = {}): string {
  return bindClickhouseParameters(sql, new Map(Object.entries(values)));
}

describe("parameters become literals", () => {
  it("of their type, unescaped as a line of TabSeparated is", () => {
    expect(bind("SELECT {s:String}", { s: "a\\tb\\'c\\\\d" })).toBe("SELECT 'a\tb\\'c\\\\d'");
    expect(bind("SELECT { n : UInt32 }", { n: "41" })).toBe("SELECT CAST('41' AS UInt32)");
    expect(bind("SELECT {n:Nullable(String)}", { n: "\\N" })).toBe("SELECT CAST(NULL AS Nullable(String))");
    expect(bind("SELECT {d:DateTime64(3, 'UTC')}", { d: "0" })).toBe("SELECT CAST('0' AS DateTime64(3, 'UTC'))");
  });
  it("composites as SQL writes them", () => {
    expect(bind("{a:Array(String)}", { a: "['x\\n']" })).toBe("CAST('[\\'x\\\\n\\']' AS Array(String))");
    expect(bind("{m:Map(String, UInt8)}", { m: "{'k':1,'l':2}" })).toBe("CAST(map('k',1,'l',2) AS Map(String, UInt8))");
  });
  it("identifiers in quotes", () => {
    expect(bind("FROM {t:Identifier}", { t: "burnwatch.usage" })).toBe("FROM `burnwatch`.`usage`");
  });
  it("but not inside quotes and comments", () => {
    const sql = "SELECT '{a:String}', \"{a:String}\", `{a:String}`, $x$ {a:String} $x$ -- {a:String}\n/* {a:String} */";
    expect(bind(sql)).toBe(sql);
  });
});

describe("a value cannot become SQL", () => {
  const forged: readonly (readonly [type: string, value: string])[] = [
    ["Identifier", "a`, system.users"],
    ["Identifier", "(SELECT 1)"],
    ["Map(String, String)", "{'k':file('/etc/passwd')}"],
    ["Map(String, String)", "{'k':(SELECT 1)}"],
    ["Map(String, String)", "{'k':'open"],
  ];
  for (const [type, value] of forged)
    it(`${type} ${value}`, () => expect(() => bind(`{x:${type}}`, { x: value })).toThrow(ClickhouseError));
  it("a quote stays in its string", () => {
    expect(bind("{s:String}", { s: "'); DROP TABLE t; --" })).toBe("'\\'); DROP TABLE t; --'");
    expect(bind("{s:UInt8}", { s: "1') FROM system.users --" })).toBe("CAST('1\\') FROM system.users --' AS UInt8)");
  });
});

it("a parameter without a value is refused by name", () => {
  expect(() => bind("SELECT {missing:String}")).toThrow("Substitution `missing` is not set");
});
