/**
 * Puts values into `{name:Type}` parameters. The embedded engine keeps parameters in one slot for the whole process,
 * so that its binding serialises every query that has any; as literals they run side by side.
 */

export type ParameterValue = string | number | readonly string[];

/** Quoted text, which may hold braces, or a parameter. */
const quotedOrParameter = /'(?:[^'\\]|\\.|'')*'|`[^`]*`|"[^"]*"|\{(\w+):([\w(), ]+)\}/gs;

/**
 * The statement with every parameter replaced by a literal of its type.
 * @throws Error when a parameter has no value.
 */
export function bindParameters(sql: string, params: Readonly<Record<string, ParameterValue>>): string {
  return sql.replace(quotedOrParameter, (match, name: string | undefined, type: string | undefined) => {
    if (name === undefined || type === undefined) return match;
    const value = Object.hasOwn(params, name) ? params[name] : undefined;
    if (value === undefined) throw new Error(`query parameter "${name}" has no value`);
    return `CAST(${literal(value)} AS ${type})`;
  });
}

function literal(value: ParameterValue): string {
  if (typeof value === "number") return quote(String(value));
  return typeof value === "string" ? quote(value) : `[${value.map(quote).join(", ")}]`;
}

const escapes: Readonly<Record<string, string>> = { "\\": "\\\\", "'": "\\'", "\0": "\\0" };

/** A string literal. */
export function quote(text: string): string {
  return `'${text.toWellFormed().replace(/[\\'\0]/g, (character) => escapes[character] ?? "")}'`;
}
