/**
 * The gate before the engine for people's own SQL: exactly one statement that reads. What it says is decided on words,
 * not on text: comments, heredocs and odd characters never reach the engine. `checkWithParser` then asks the engine's own
 * parser what it understood, and the connection behind it is read-only and limited.
 */

import {
  explainWords,
  isRefusedFunction,
  isRefusedTableFunction,
  schemaDatabases,
  showWords,
  systemTables,
  tableFunctions,
} from "./sql-names.ts";
import { readTokens, type SqlToken, SqlTokenError, writeTokens } from "./sql-tokens.ts";

/** One sentence: what was found, and what is allowed. */
export interface GateRefusal {
  readonly refused: string;
}

export interface GatePass {
  /** The statement to run, without comments and without its FORMAT clause. */
  readonly statement: string;
  /** The format the statement asked for. */
  readonly format?: string;
}

export interface GateOptions {
  /** Databases of the server besides our own. */
  readonly databases?: readonly string[];
}

const sqlCharactersMax = 100_000;
const statementsAllowed = "only one SELECT, WITH ... SELECT, SHOW, DESCRIBE or EXPLAIN is allowed";
const embeddedDatabases = ["default", "system", ...schemaDatabases];

/** Passes a statement on, as it should be sent, or says why not. */
export function checkSql(sql: string, { databases = [] }: GateOptions = {}): GateRefusal | GatePass {
  if (sql.length > sqlCharactersMax)
    return refuse(`the statement has ${sql.length} characters; at most ${sqlCharactersMax} are allowed`);
  let tokens: SqlToken[];
  try {
    tokens = readTokens(sql);
  } catch (error) {
    if (error instanceof SqlTokenError) return refuse(error.message);
    throw error;
  }
  while (tokens.at(-1)?.text === ";") tokens.pop();
  const { body, format } = takeFormat(tokens);
  const reason =
    refuseStatement(body) ?? refuseClauses(body) ?? refuseNames(body, new Set([...embeddedDatabases, ...databases]));
  if (reason !== undefined) return refuse(reason);
  return { statement: writeTokens(body), ...(format === undefined ? {} : { format }) };
}

function refuse(refused: string): GateRefusal {
  return { refused };
}

/** An unquoted word in upper case, or a symbol; undefined for names in quotes, strings and numbers. */
function keyword(token: SqlToken | undefined): string | undefined {
  return token?.kind === "word" || token?.kind === "symbol" ? token.text.toUpperCase() : undefined;
}

/** A FORMAT clause at the end is honoured, by whoever runs the statement. */
function takeFormat(tokens: readonly SqlToken[]): { body: readonly SqlToken[]; format?: string } {
  const name = tokens.at(-1);
  if (tokens.length < 3 || name?.kind !== "word" || keyword(tokens.at(-2)) !== "FORMAT") return { body: tokens };
  // `SELECT 1 AS format x` is no clause, but no statement either: the engine says so.
  return { body: tokens.slice(0, -2), format: name.text };
}

/** Which kind of statement it is, and whether it is one. */
function refuseStatement(tokens: readonly SqlToken[]): string | undefined {
  if (tokens.length === 0) return `the statement is empty; ${statementsAllowed}`;
  if (tokens.some((token) => token.kind === "symbol" && token.text === ";"))
    return "a second statement follows a semicolon; only one statement is allowed";
  const first = tokens.findIndex((token) => keyword(token) !== "(");
  const rest = tokens.slice(first + 1);
  switch (keyword(tokens[first])) {
    case "SELECT":
      return undefined;
    case "WITH":
      return refuseWith(rest);
    case "SHOW":
      return first > 0 ? refuseFirst(tokens[first]) : refuseShow(rest);
    case "DESC":
    case "DESCRIBE":
      return first > 0 ? refuseFirst(tokens[first]) : refuseDescribe(rest);
    case "EXPLAIN":
      return first > 0 ? refuseFirst(tokens[first]) : refuseExplain(rest);
    default:
      return refuseFirst(tokens[first] ?? tokens[0]);
  }
}

function refuseFirst(token: SqlToken | undefined): string {
  return `the statement begins with ${token?.text.slice(0, 40).toUpperCase() ?? "("}; ${statementsAllowed}`;
}

function refuseWith(tokens: readonly SqlToken[]): string | undefined {
  let depth = 0;
  for (const token of tokens) {
    const word = keyword(token);
    if (word === "(") depth++;
    else if (word === ")") depth--;
    else if (depth === 0 && word === "SELECT") return undefined;
    else if (depth === 0 && word === "INSERT") return `WITH leads to INSERT; ${statementsAllowed}`;
  }
  return `WITH leads to no SELECT; ${statementsAllowed}`;
}

function refuseShow(tokens: readonly SqlToken[]): string | undefined {
  const word = keyword(tokens.find((token) => !["FULL", "EXTENDED"].includes(keyword(token) ?? "")));
  const what = keyword(tokens[1]);
  const creates =
    word === "CREATE" && ["USER", "ROLE", "QUOTA", "PROFILE", "SETTINGS", "ROW", "POLICY"].includes(what ?? "");
  if (word !== undefined && showWords.has(word.toLowerCase()) && !creates) return undefined;
  return `SHOW ${creates ? `CREATE ${what}` : (word ?? "")} is refused; SHOW TABLES, DATABASES, COLUMNS, INDEXES, FUNCTIONS and CREATE TABLE are allowed`;
}

function refuseDescribe(tokens: readonly SqlToken[]): string | undefined {
  return keyword(tokens[0]) === "FILESYSTEM"
    ? "DESCRIBE FILESYSTEM is refused; DESCRIBE a table or (SELECT ...)"
    : undefined;
}

function refuseExplain(tokens: readonly SqlToken[]): string | undefined {
  for (const token of tokens) {
    const word = keyword(token);
    if (word === "SELECT" || word === "(") return undefined;
    if (word === "WITH") return refuseWith(tokens.slice(tokens.indexOf(token) + 1));
    if (token.kind === "number" || word === "=" || word === ",") continue;
    if (word === undefined || !explainWords.has(word.toLowerCase()))
      return `EXPLAIN ${token.text.slice(0, 40)} is refused; EXPLAIN of a SELECT is allowed`;
  }
  return "EXPLAIN explains nothing; EXPLAIN of a SELECT is allowed";
}

/** Clauses that write, change limits or hide a second statement. */
function refuseClauses(tokens: readonly SqlToken[]): string | undefined {
  for (const [index, token] of tokens.entries()) {
    const before = keyword(tokens[index - 1]);
    const after = keyword(tokens[index + 1]);
    switch (keyword(token)) {
      case "OUTFILE":
        return "INTO OUTFILE writes a file on the server; take the answer and save it yourself";
      case "SETTINGS":
        if (before !== ".")
          return 'a SETTINGS clause is refused: limits are fixed here (a column of that name: "settings")';
        break;
      case "PARALLEL":
        if (after === "WITH") return "PARALLEL WITH runs a second statement; only one statement is allowed";
        break;
      case "EXPLAIN":
        if (index > 0) return "EXPLAIN inside a statement is refused; EXPLAIN at its beginning is allowed";
        break;
    }
  }
  return undefined;
}

/** Names of functions, table functions and databases, quoted or not. */
function refuseNames(tokens: readonly SqlToken[], databases: ReadonlySet<string>): string | undefined {
  for (const [index, token] of tokens.entries()) {
    if (token.kind !== "word" && token.kind !== "quoted") continue;
    const name = token.text.toLowerCase();
    // A function may be named without being called, as in arrayMap(file, ...), so the name alone decides.
    if (isRefusedFunction(name))
      return `the function ${token.text}() is refused: it reaches beyond the tables (functions that calculate are allowed)`;
    const after = keyword(tokens[index + 1]);
    if (after === "(" && isRefusedTableFunction(name)) return refusedTableFunction(token.text);
    if (after === "." && databases.has(token.text)) {
      const reason = refuseDatabase(token.text, tokens[index + 2]);
      if (reason !== undefined) return reason;
    }
  }
  return undefined;
}

/** What is said of a table function that is not allowed. */
export function refusedTableFunction(name: string): string {
  const allowed = [...tableFunctions].filter((each) => each !== "generateseries" && each !== "sqlstandardvalues");
  return `the table function ${name}() is refused; ${allowed.join(", ")} and your own tables are allowed`;
}

function refuseDatabase(database: string, table: SqlToken | undefined): string | undefined {
  if (schemaDatabases.has(database)) return undefined;
  if (database !== "system")
    return `the database ${database} is refused; the tables and views of Burnwatch are allowed: usage, usage_by_day ...`;
  const named = table?.kind === "word" || table?.kind === "quoted" ? table.text : "";
  if (systemTables.has(named)) return undefined;
  return `the table system.${named} is refused; of system, ${[...systemTables].join(", ")} are allowed`;
}
