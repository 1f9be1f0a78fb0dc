/**
 * What the engine's own parser makes of a statement. It only parses (EXPLAIN AST runs nothing), and it settles what words
 * cannot: which call is a table function, and that the whole is one statement of a kind that reads.
 */

import { type GateRefusal, refusedTableFunction } from "./sql-gate.ts";
import { isRefusedFunction, tableFunctions } from "./sql-names.ts";

const rootsAllowed = new Set([
  "DescribeQuery",
  "Explain",
  "SelectIntersectExceptQuery",
  "SelectWithUnionQuery",
  "ShowColumns",
  "ShowCreateTableQuery",
  "ShowCreateViewQuery",
  "ShowFunctions",
  "ShowIndexes",
  "ShowTables",
]);
const statementsAllowed = new Set([
  "SelectIntersectExceptQuery",
  "SelectQuery",
  "SelectWithUnionQuery",
  "TablesInSelectQuery",
]);

/**
 * Judges the lines of `EXPLAIN AST`. Undefined when all is well.
 * Not everything is in the tree (a name after APPLY is not), so this comes after `checkSql` and never instead of it.
 */
export function checkSyntaxTree(lines: readonly string[]): GateRefusal | undefined {
  const parents: string[] = [];
  for (const [index, line] of lines.entries()) {
    const depth = line.length - line.trimStart().length;
    const [kind = "", name = ""] = line.trim().split(" ");
    const parent = parents[depth - 1] ?? "";
    parents[depth] = kind;
    if (index === 0 && !rootsAllowed.has(kind))
      return { refused: `the statement is a ${kind}; only statements that read are allowed` };
    if (index > 0 && kind.endsWith("Query") && !statementsAllowed.has(kind))
      return { refused: `the statement holds a ${kind}; only SELECT is allowed inside a statement` };
    if (kind === "Set" && parent !== "Explain")
      return { refused: "a SETTINGS clause is refused: limits are fixed here" };
    if (kind !== "Function") continue;
    if (parent === "TableExpression" && !tableFunctions.has(name.toLowerCase()))
      return { refused: refusedTableFunction(name) };
    if (isRefusedFunction(name.toLowerCase()))
      return { refused: `the function ${name}() is refused: it reaches beyond the tables` };
  }
  return undefined;
}
