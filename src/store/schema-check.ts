/**
 * Whether the tables of a database are those that the migrations make: a table of the same name may be somebody else's,
 * and one of ours may have been changed by hand. Told by engine, key and columns, which the statements themselves say.
 */

/** A table as a `CREATE TABLE` statement has it. */
export interface TableShape {
  readonly table: string;
  /** Without `Replicated` or `Shared`. */
  readonly engine: string;
  /** Without spaces. */
  readonly key: string;
  /** Types by column, without spaces. */
  readonly columns: ReadonlyMap<string, string>;
}

interface Asking {
  query<Row>(sql: string): Promise<readonly Row[]>;
}

/** The tables that these statements create. */
export function shapesOf(statements: readonly string[]): readonly TableShape[] {
  return statements.flatMap((statement) => {
    const [, table, rest] = /^CREATE TABLE IF NOT EXISTS (\w+) \(([\s\S]*)$/.exec(statement) ?? [];
    const [, body = "", engine = ""] = /^([\s\S]*)\n\) ENGINE = (\w+)/.exec(rest ?? "") ?? [];
    const key = /\bORDER BY (\([^\n]*?\)(?=\s*\n|\s+SETTINGS|$)|\w+)/.exec(rest ?? "")?.[1] ?? "";
    if (table === undefined) return [];
    const columns = splitList(body).flatMap((text) => {
      const [, name = "", definition = ""] = /^(\w+) ([\s\S]*)$/.exec(text) ?? [];
      const type = definition.replace(/ (?:CODEC|DEFAULT)\b[\s\S]*$/, "");
      return name === "INDEX" ? [] : [[name, plain(type)] as const];
    });
    return [{ table, engine, key: plain(key).replace(/^\((.*)\)$/, "$1"), columns: new Map(columns) }];
  });
}

/** A table that this database has under a name of ours and that is not ours, as a line; undefined where there is none. */
export async function foreignTable(database: Asking, ours: readonly TableShape[]): Promise<string | undefined> {
  const found = new Map((await shapesIn(database, ours)).map((shape) => [shape.table, shape]));
  for (const expected of ours) {
    const shape = found.get(expected.table);
    if (shape === undefined) continue;
    const strange = [...shape.columns.keys()].find((name) => !expected.columns.has(name));
    const why = differentMaking(expected, shape) ?? (strange === undefined ? undefined : `it has a column ${strange}`);
    if (why !== undefined)
      return `table ${expected.table} is not Burnwatch's: ${why}; choose another clickhouse.database, or rename that table`;
  }
  return undefined;
}

/** What differs from what the migrations make, a line each. Columns of the user's own are no fault. */
export async function editedTables(database: Asking, ours: readonly TableShape[]): Promise<readonly string[]> {
  const found = new Map((await shapesIn(database, ours)).map((shape) => [shape.table, shape]));
  return ours.flatMap((expected) => {
    const { table } = expected;
    const shape = found.get(table);
    if (shape === undefined) return [`table ${table} is missing`];
    const making = differentMaking(expected, shape);
    const columns = Array.from(expected.columns, ([name, type]) => {
      const is = shape.columns.get(name);
      if (is === undefined) return `table ${table} has no column ${name}`;
      return is === type ? undefined : `column ${name} of ${table} is ${is}, expected ${type}`;
    });
    return [making === undefined ? undefined : `table ${table}: ${making}`, ...columns].filter(
      (line) => line !== undefined,
    );
  });
}

function differentMaking(expected: TableShape, found: TableShape): string | undefined {
  if (found.engine !== expected.engine) return `its engine is ${found.engine}, expected ${expected.engine}`;
  if (found.key !== expected.key) return `it is sorted by (${found.key}), expected (${expected.key})`;
  return undefined;
}

/** Tables of these names as this database has them. */
export async function shapesIn(database: Asking, ours: readonly TableShape[]): Promise<readonly TableShape[]> {
  const names = ours.map(({ table }) => `'${table}'`).join(", ");
  const tables = await database.query<{ name: string; engine: string; sorting_key: string }>(
    `SELECT name, engine, sorting_key FROM system.tables WHERE database = currentDatabase() AND name IN (${names})`,
  );
  const columns = await database.query<{ table: string; name: string; type: string }>(
    `SELECT table, name, type FROM system.columns WHERE database = currentDatabase() AND table IN (${names})`,
  );
  return tables.map(({ name, engine, sorting_key }) => ({
    table: name,
    engine: engine.replace(/^(?:Replicated|Shared)/, ""),
    key: plain(sorting_key),
    columns: new Map(columns.filter(({ table }) => table === name).map((column) => [column.name, plain(column.type)])),
  }));
}

/** At its commas outside of brackets. */
function splitList(text: string): readonly string[] {
  const parts: string[] = [];
  let [depth, start] = [0, 0];
  for (let at = 0; at <= text.length; at++) {
    const letter = text[at];
    if (letter === "(") depth++;
    if (letter === ")") depth--;
    if (depth > 0 || (letter !== "," && letter !== undefined)) continue;
    parts.push(text.slice(start, at).trim());
    start = at + 1;
  }
  return parts;
}

function plain(text: string): string {
  return text.replaceAll(/\s+/g, "");
}
