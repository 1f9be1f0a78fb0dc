/**
 * Values of `{name:Type}` parameters as they come in a URL, put into the statement as literals. They are written before
 * the gate reads the statement, so that it judges what will run.
 */

import { readTokens, SqlTokenError } from "../query/sql-tokens.ts";
import { ClickhouseError } from "./clickhouse-error.ts";

/** Comments and quoted text, which may hold braces, or a parameter. */
const skippedOrParameter =
  /--[^\n]*|\/\*.*?\*\/|'(?:[^'\\]|\\.|'')*'|`(?:[^`\\]|\\.|``)*`|"(?:[^"\\]|\\.|"")*"|\$(\w*)\$.*?\$\1\$|\{\s*(?<name>\w+)\s*:(?<type>[^{}]+)\}/gs;

/**
 * The statement with every parameter replaced.
 * @throws ClickhouseError when a parameter has no value, or one that no type can have.
 */
export function bindClickhouseParameters(sql: string, values: ReadonlyMap<string, string>): string {
  return sql.replace(skippedOrParameter, (match: string, ...rest: readonly unknown[]) => {
    const { name, type } = (rest.at(-1) ?? {}) as { name?: string; type?: string };
    if (name === undefined || type === undefined) return match;
    const value = values.get(name);
    if (value === undefined)
      throw new ClickhouseError("UNKNOWN_QUERY_PARAMETER", `Substitution \`${name}\` is not set`);
    return parameterLiteral(name, type.trim(), value);
  });
}

function parameterLiteral(name: string, type: string, value: string): string {
  if (type === "Identifier") return quoteIdentifier(name, value);
  // A composite is written as SQL writes it; anything else is escaped as in a line of TabSeparated.
  if (/^Map\b/.test(type)) return `CAST(${mapLiteral(name, value)} AS ${type})`;
  if (/^(?:Array|Tuple|Nested|Point|Ring|Polygon|MultiPolygon)\b/.test(type)) return `CAST(${quote(value)} AS ${type})`;
  if (value === "\\N") return `CAST(NULL AS ${type})`;
  const text = quote(unescapeTsv(value));
  return type === "String" ? text : `CAST(${text} AS ${type})`;
}

function quoteIdentifier(name: string, value: string): string {
  const parts = value.split(".");
  if (parts.every((part) => /^[\w $-]+$/.test(part))) return parts.map((part) => `\`${part}\``).join(".");
  throw badParameter(name, "a plain identifier");
}

/** `{'k':1}` as `map('k',1)`: text cannot be cast to a map. Only literals and brackets get through. */
function mapLiteral(name: string, value: string): string {
  const rewritten: Readonly<Record<string, string>> = { "{": "map(", "}": ")", ":": "," };
  const words = /^(?:true|false|null|nan|inf)$/i;
  let tokens: ReturnType<typeof readTokens>;
  try {
    tokens = readTokens(value);
  } catch (error) {
    if (error instanceof SqlTokenError) throw badParameter(name, `a map: ${error.message}`);
    throw error;
  }
  return tokens
    .map(({ kind, sql }) => {
      const plain = kind === "string" || kind === "number" || words.test(sql) || /^[[\](),+-]$/.test(sql);
      if (!plain && rewritten[sql] === undefined) throw badParameter(name, "a map of literals");
      return rewritten[sql] ?? sql;
    })
    .join("");
}

function badParameter(name: string, expected: string): ClickhouseError {
  return new ClickhouseError("BAD_QUERY_PARAMETER", `Value of query parameter '${name}' is not ${expected}`);
}

const tsvEscapes: Readonly<Record<string, string>> = {
  b: "\b",
  f: "\f",
  r: "\r",
  n: "\n",
  t: "\t",
  0: "\0",
  a: "\x07",
  v: "\v",
};

function unescapeTsv(text: string): string {
  return text.replace(/\\(.)/gs, (_, character: string) => tsvEscapes[character] ?? character);
}

const literalEscapes: Readonly<Record<string, string>> = { "\\": "\\\\", "'": "\\'", "\0": "\\0" };

function quote(text: string): string {
  return `'${text.toWellFormed().replace(/[\\'\0]/g, (character) => literalEscapes[character] ?? "")}'`;
}
