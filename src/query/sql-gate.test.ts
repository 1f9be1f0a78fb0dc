/** What the gate refuses and how it says so, by words alone; `ask-sql.test.ts` runs what it lets through. */

import { describe, expect, it } from "vitest";
import { checkSql } from "./sql-gate.ts";
import { checkSyntaxTree } from "./sql-parser-check.ts";

function refusal(sql: string): string | undefined {
  const checked = checkSql(sql, { databases: ["shop"] });
  return "refused" in checked ? checked.refused : undefined;
}

function statement(sql: string): string {
  const checked = checkSql(sql);
  return "refused" in checked ? `refused: ${checked.refused}` : checked.statement;
}

describe("the SQL gate says what it found and what is allowed", () => {
  const cases: readonly (readonly [sql: string, says: RegExp])[] = [
    ["", /statement is empty/],
    ["-- nothing", /statement is empty/],
    ["INSERT INTO usage_records VALUES (1)", /begins with INSERT; only one SELECT, WITH/],
    ["SYSTEM SHUTDOWN", /begins with SYSTEM/],
    ["SET readonly = 0", /begins with SET/],
    ["DROP TABLE usage_records", /begins with DROP/],
    ["ALTER TABLE usage_records DELETE WHERE 1", /begins with ALTER/],
    ["TRUNCATE usage_records", /begins with TRUNCATE/],
    ["CREATE TABLE t (a UInt8) ENGINE = Memory", /begins with CREATE/],
    ["USE system", /begins with USE/],
    ["KILL QUERY WHERE 1", /begins with KILL/],
    ["EXECUTE AS default SELECT 1", /begins with EXECUTE/],
    ["BACKUP DATABASE burnwatch TO Disk('x')", /begins with BACKUP/],
    ["CHECK TABLE usage_records", /begins with CHECK/],
    ["EXISTS usage", /begins with EXISTS/],
    ["'SELECT' 1", /begins with 'SELECT'/],
    ["SELECT 1; SELECT 2", /second statement/],
    ["SELECT 1; DROP TABLE usage_records", /second statement/],
    ["SELECT 1 PARALLEL WITH SELECT 2", /PARALLEL WITH runs a second statement/],
    ["SELECT 1 INTO OUTFILE '/tmp/x'", /INTO OUTFILE writes a file/],
    ["SELECT 1 FORMAT CSV INTO OUTFILE '/tmp/x'", /INTO OUTFILE writes a file/],
    ["SELECT 1 SETTINGS max_execution_time = 0", /SETTINGS clause is refused/],
    ["SELECT * FROM (SELECT 1 SETTINGS readonly = 0)", /SETTINGS clause is refused/],
    ["SELECT 1 FORMAT JSON SETTINGS max_result_rows = 0", /SETTINGS clause is refused/],
    ["SELECT * FROM file('/etc/passwd')", /function file\(\) is refused/],
    ["SELECT file('/etc/passwd')", /function file\(\) is refused/],
    ["SELECT * FROM url('http://x')", /table function url\(\) is refused; .*numbers/],
    ["SELECT * FROM remote('x', system.one)", /table function remote\(\) is refused/],
    ["SELECT * FROM s3('https://x')", /table function s3\(\) is refused/],
    ["SELECT * FROM merge('system', '.*')", /table function merge\(\) is refused/],
    ["SELECT * FROM executable('id', TSV, 'a String')", /table function executable\(\) is refused/],
    ["SELECT * FROM cluster('default', system.one)", /table function cluster\(\) is refused/],
    ["SELECT * FROM mysql('h', 'd', 't', 'u', 'p')", /table function mysql\(\) is refused/],
    ["SELECT * FROM postgresql('h', 'd', 't', 'u', 'p')", /table function postgresql\(\) is refused/],
    ["SELECT * FROM input('a UInt8')", /table function input\(\) is refused/],
    ["SELECT * FROM icebergS3Cluster('x')", /table function icebergS3Cluster\(\) is refused/],
    ["SELECT * FROM view(SELECT 1)", /table function view\(\) is refused/],
    ["SELECT * FROM system.query_log", /table system\.query_log is refused; of system, .*tables/],
    ["SELECT * FROM system.processes", /table system\.processes is refused/],
    ["SELECT * FROM system.users", /table system\.users is refused/],
    ["SELECT * FROM default.usage", /database default is refused; .*usage/],
    ["SELECT * FROM shop.orders", /database shop is refused/],
    ["SELECT dictGet('d', 'a', 1)", /function dictGet\(\) is refused/],
    ["SELECT joinGet('t', 'a', 1)", /function joinGet\(\) is refused/],
    ["SELECT sleep(3)", /function sleep\(\) is refused/],
    ["SELECT sleepEachRow(1) FROM numbers(100)", /function sleepEachRow\(\) is refused/],
    ["SELECT catboostEvaluate('/m', 1)", /function catboostEvaluate\(\) is refused/],
    ["SELECT getClientHTTPHeader('Authorization')", /function getClientHTTPHeader\(\) is refused/],
    ["SELECT hasColumnInTable('host', 'u', 'p', 'd', 't', 'c')", /function hasColumnInTable\(\) is refused/],
    ["SELECT aiGenerate('x')", /function aiGenerate\(\) is refused/],
    ["WITH 1 AS x INSERT INTO t SELECT x", /WITH leads to INSERT/],
    ["WITH 1 AS x", /WITH leads to no SELECT/],
    ["SHOW PROCESSLIST", /SHOW PROCESSLIST is refused; SHOW TABLES/],
    ["SHOW GRANTS", /SHOW GRANTS is refused/],
    ["SHOW CREATE USER default", /SHOW CREATE USER is refused/],
    ["DESCRIBE FILESYSTEM CACHE 'x'", /DESCRIBE FILESYSTEM is refused/],
    ["EXPLAIN INSERT INTO t SELECT 1", /EXPLAIN INSERT is refused; EXPLAIN of a SELECT/],
    ["EXPLAIN TABLE OVERRIDE numbers(1) PARTITION BY number", /EXPLAIN TABLE is refused/],
    ["EXPLAIN CURRENT TRANSACTION", /EXPLAIN CURRENT is refused/],
    [`SELECT '${"x".repeat(100_000)}'`, /at most 100000 are allowed/],
  ];
  for (const [sql, says] of cases) it(sql.slice(0, 70) || "(nothing)", () => expect(refusal(sql)).toMatch(says));
});

describe("the SQL gate is not fooled by", () => {
  const bypasses: readonly (readonly [how: string, sql: string])[] = [
    ["lower case", "select * from FILE('/etc/passwd')"],
    ["mixed case", "SELECT SlEeP(3)"],
    ["quoted function", "SELECT `file`('/etc/passwd')"],
    ["double-quoted function", "SELECT \"file\"('/etc/passwd')"],
    ["doubled quotes in a name", 'SELECT * FROM "system"."users"'],
    ["backquoted database", "SELECT * FROM `system`.`users`"],
    ["an escape in a quoted name", "SELECT \"fi\\x6ce\"('/etc/passwd')"],
    ["space around the dot", "SELECT * FROM system . users"],
    ["comment around the dot", "SELECT * FROM system/**/./**/users"],
    ["comment before the parenthesis", "SELECT * FROM url/* */('http://x')"],
    ["newline before the parenthesis", "SELECT * FROM url\n\t('http://x')"],
    ["nested comment", "SELECT 1 /* /* */ ; DROP TABLE usage */ INTO OUTFILE '/tmp/x'"],
    ["comment that ends early for others", "SELECT 1 /* /* */ */; SELECT 2"],
    ["line comment before the second statement", "SELECT 1 -- \n; SELECT 2"],
    ["hash comment", "SELECT 1 # a\n INTO OUTFILE '/tmp/x'"],
    ["comment inside INTO OUTFILE", "SELECT 1 INTO/**/OUTFILE '/tmp/x'"],
    ["no-break space as space", "SELECT 1 INTO\u00a0OUTFILE '/tmp/x'"],
    ["zero-width space", "SELECT * FROM sys\u200btem.users"],
    ["full-width letters", "SELECT ｆｉｌｅ('/etc/passwd')"],
    ["curly quotes", "SELECT * FROM \u201csystem\u201d.\u201cusers\u201d"],
    ["a byte-order mark", "\ufeffSELECT 1; SELECT 2"],
    ["NUL", "SELECT 1\u0000; SELECT 2"],
    ["a heredoc that looks closed", "SELECT $a$ $b$ $a$, file('/etc/passwd')"],
    ["a heredoc never closed", "SELECT $$ ; SELECT 2"],
    ["an open string", "SELECT 'abc"],
    ["an escaped backslash before the closing quote", "SELECT '\\\\', file('/etc/passwd')"],
    ["a doubled quote before the end", "SELECT '''', file('/etc/passwd')"],
    ["a function passed by name", "SELECT arrayMap(file, ['/etc/passwd'])"],
    ["a function in APPLY", "SELECT * APPLY(file) FROM values('a String', '/etc/passwd')"],
    ["a lambda in APPLY", "SELECT * APPLY(x -> x IN system.users) FROM numbers(1)"],
    ["a table on the right of IN", "SELECT 1 IN system.users"],
    ["a table in a join", "SELECT * FROM usage u JOIN system.users s ON 1 = 1"],
    ["a table in a CTE", "WITH x AS (SELECT * FROM system.processes) SELECT * FROM x"],
    ["a table in a scalar subquery", "SELECT (SELECT count() FROM system.query_log)"],
    ["a table in EXPLAIN", "EXPLAIN SELECT * FROM system.users"],
    ["a table in DESCRIBE", "DESCRIBE (SELECT * FROM system.users)"],
    ["the file system as a database", "SELECT * FROM default.`/etc/passwd`"],
    ["a path on the right of IN", "SELECT 'x' IN default.`/etc/passwd`"],
    ["a function in ORDER BY", "SELECT 1 ORDER BY sleep(3)"],
    ["a function in LIMIT", "SELECT 1 LIMIT sleep(3)"],
    ["a function in a window", "SELECT count() OVER (ORDER BY sleepEachRow(1)) FROM numbers(9)"],
    ["a function in SHOW", "SHOW TABLES WHERE sleep(3)"],
    ["EXPLAIN in a subquery", "SELECT * FROM (EXPLAIN SELECT * FROM system.users)"],
    ["SETTINGS in a CTE", "WITH x AS (SELECT 1 SETTINGS max_memory_usage = 0) SELECT * FROM x"],
    ["SETTINGS after a comment", "SELECT 1 /**/SETTINGS/**/readonly=0"],
    ["parentheses before the statement", "((INSERT INTO usage_records SELECT 1))"],
    ["a semicolon in parentheses", "(SELECT 1;)"],
    ["a number against the name", "SELECT 1.file('/etc/passwd')"],
    ["an alias as the name", "SELECT dictGetOrDefault AS f, f('d', 'a', 1, 2)"],
    ["dynamic SQL", "SELECT * FROM eval('SELECT 1')"],
    ["vertical output with a backslash", "SELECT 1 \\G DROP TABLE usage"],
  ];
  for (const [how, sql] of bypasses) it(how, () => expect(refusal(sql), sql).toBeDefined());
});

describe("the SQL gate passes on", () => {
  it("words in strings, quotes and comments as what they are", () => {
    expect(
      statement("SELECT 'INTO OUTFILE; file(x) system.users' AS \"a;b\" -- ; DROP\n FROM usage /* SETTINGS */;;"),
    ).toBe("SELECT 'INTO OUTFILE; file(x) system.users' AS \"a;b\" FROM usage");
  });
  it("heredocs as plain strings", () => {
    expect(statement("SELECT $tag$it's \\ $$ ; here$tag$")).toBe("SELECT 'it\\'s \\\\ $$ ; here'");
  });
  it("operators without joining what a comment held apart", () => {
    expect(statement("SELECT 1-/* */-1, a->b, [1]::Array(Int8), x[1], t.1, 1.5e-3 FROM t")).toBe(
      "SELECT 1- -1, a->b, [1]::Array(Int8), x[1], t.1, 1.5e-3 FROM t",
    );
  });
  it("the format apart from the statement", () => {
    expect(checkSql("SELECT 1 AS format FORMAT JSONCompact;")).toEqual({
      statement: "SELECT 1 AS format",
      format: "JSONCompact",
    });
    expect(checkSql("SELECT format('{}', 1)")).toEqual({ statement: "SELECT format('{}', 1)" });
    expect(checkSql("SELECT x AS format")).toEqual({ statement: "SELECT x AS format" });
  });
  it("our own tables by their full name", () => {
    expect(statement("SELECT burnwatch.usage.tenant FROM burnwatch.usage")).not.toMatch(/refused/);
  });
});

describe("the tree of the engine's parser", () => {
  it("shows a table function that shares its name with a function", () => {
    const tree = [
      "SelectWithUnionQuery (children 1)",
      " TableExpression (children 1)",
      "  Function format (children 1)",
    ];
    expect(checkSyntaxTree(tree)?.refused).toMatch(/table function format\(\) is refused/);
  });
  it("is refused where it does not read", () => {
    expect(checkSyntaxTree(["InsertQuery (children 1)"])?.refused).toMatch(/only statements that read/);
    expect(checkSyntaxTree(["Explain EXPLAIN (children 1)", " InsertQuery"])?.refused).toMatch(/holds a InsertQuery/);
    expect(checkSyntaxTree(["SelectWithUnionQuery", " Set"])?.refused).toMatch(/SETTINGS/);
    expect(checkSyntaxTree(["Explain EXPLAIN (children 2)", " Set", " SelectWithUnionQuery"])).toBeUndefined();
  });
});
