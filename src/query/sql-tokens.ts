/**
 * Words of ClickHouse's SQL, and its text again from them. The gate judges these tokens and sends on what they spell, so
 * that the engine never sees a comment, a heredoc or an odd character that it might read otherwise than we do.
 */

export interface SqlToken {
  readonly kind: "word" | "quoted" | "string" | "number" | "symbol";
  /** A word as written, the name inside quotes, a symbol's character; strings and numbers as they are sent on. */
  readonly text: string;
  /** What is sent to the engine. */
  readonly sql: string;
  /** White space or a comment stood before it. */
  readonly apart: boolean;
}

/** A statement that cannot be read, and why. */
export class SqlTokenError extends Error {}

const space = /[ \t\r\n\f\v]+/y;
const lineComment = /(?:--|#[ !])[^\n]*/y;
const number = /(?:0[xX][0-9a-fA-F]+|0[bB][01]+|[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?)(?![A-Za-z0-9_$])/y;
const word = /[A-Za-z0-9_][A-Za-z0-9_$]*/y;
const quotedString = /'(?:[^'\\]|\\.|'')*'/sy;
const quotedName = /"(?:[^"\\]|"")*"|`(?:[^`\\]|``)*`/y;
const heredocStart = /\$\w*\$/y;
const symbol = /[()[\]{},.+\-*/%=<>!|&?:;^~]/y;

/**
 * The tokens of a statement, without its comments.
 * @throws SqlTokenError on an open quote or comment, and on characters outside quotes that SQL has no use for.
 */
export function readTokens(sql: string): SqlToken[] {
  const tokens: SqlToken[] = [];
  let apart = false;
  for (let at = 0; at < sql.length; ) {
    const skipped = skipSpace(sql, at);
    if (skipped > at) {
      apart = true;
      at = skipped;
      continue;
    }
    const { token, end } = readToken(sql, at);
    tokens.push({ ...token, apart });
    apart = false;
    at = end;
  }
  return tokens;
}

/** The text of tokens, with one blank where any space or comment stood. */
export function writeTokens(tokens: readonly SqlToken[]): string {
  return tokens.map((token, index) => (token.apart && index > 0 ? ` ${token.sql}` : token.sql)).join("");
}

function match(pattern: RegExp, sql: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(sql)?.[0];
}

/** The position after white space or one comment that begins at `at`; `at` itself where neither does. */
function skipSpace(sql: string, at: number): number {
  const found = match(space, sql, at) ?? match(lineComment, sql, at);
  if (found !== undefined) return at + found.length;
  if (!sql.startsWith("/*", at)) return at;
  // The engine nests comments: `/* /* */` is still open.
  let depth = 1;
  let end = at + 2;
  for (; depth > 0; end++) {
    if (end >= sql.length) throw new SqlTokenError("a comment /* is not closed");
    const pair = sql.slice(end, end + 2);
    if (pair === "/*" || pair === "*/") {
      depth += pair === "/*" ? 1 : -1;
      end++;
    }
  }
  return end;
}

function readToken(sql: string, at: number): { token: Omit<SqlToken, "apart">; end: number } {
  const take = (kind: SqlToken["kind"], found: string, text = found, rendered = found) => ({
    token: { kind, text, sql: rendered },
    end: at + found.length,
  });
  const string = match(quotedString, sql, at);
  if (string !== undefined) return take("string", string);
  const name = match(quotedName, sql, at);
  if (name !== undefined) {
    const quote = name.charAt(0);
    return take("quoted", name, name.slice(1, -1).replaceAll(quote + quote, quote));
  }
  const tag = match(heredocStart, sql, at);
  if (tag !== undefined) {
    const close = sql.indexOf(tag, at + tag.length);
    if (close < 0) throw new SqlTokenError(`a string ${tag} is not closed`);
    const content = sql.slice(at + tag.length, close).replace(/['\\]/g, "\\$&");
    return take("string", sql.slice(at, close + tag.length), `'${content}'`, `'${content}'`);
  }
  const digits = match(number, sql, at);
  if (digits !== undefined) return take("number", digits);
  const found = match(word, sql, at);
  if (found !== undefined) return take("word", found);
  const sign = match(symbol, sql, at);
  if (sign !== undefined) return take("symbol", sign);
  throw new SqlTokenError(describeOddCharacter(sql, at));
}

function describeOddCharacter(sql: string, at: number): string {
  const character = String.fromCodePoint(sql.codePointAt(at) ?? 0);
  if (character === "'") return "a string ' is not closed";
  if (character === '"' || character === "`")
    return `a name in ${character} is not closed, or holds a backslash: plain names only`;
  const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
  return `the character U+${code} stands outside quotes: plain ASCII SQL only`;
}
