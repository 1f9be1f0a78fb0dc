/** People's own SQL, from the text to the bytes of the answer: through the gate, then read-only and within limits. */

import type { QueryLimits, Store } from "../store/store.ts";
import { checkSql } from "./sql-gate.ts";
import { checkSyntaxTree } from "./sql-parser-check.ts";

/** A statement that was not run, or not to its end; the message is for the person who wrote it. */
export class SqlRefusedError extends Error {
  override readonly name = "SqlRefusedError";
}

export interface SqlAnswer {
  readonly bytes: Uint8Array;
  /** The format of the bytes: the statement's own, or the one asked for. */
  readonly format: string;
}

/**
 * Runs one statement that reads.
 * @throws SqlRefusedError when the gate, the engine or a limit refuses it.
 */
export async function askSql(store: Store, sql: string, format: string, limits: QueryLimits): Promise<SqlAnswer> {
  const databases = await store.query<{ name: string }>(
    "SELECT name FROM system.databases WHERE name != currentDatabase()",
  );
  const passed = checkSql(sql, { databases: databases.map((database) => database.name) });
  if ("refused" in passed) throw new SqlRefusedError(passed.refused);
  const tree = await run(store, `EXPLAIN AST ${passed.statement}`, "TSVRaw", limits);
  const refusal = checkSyntaxTree(Buffer.from(tree).toString("utf8").split("\n").filter(Boolean));
  if (refusal !== undefined) throw new SqlRefusedError(refusal.refused);
  const asked = passed.format ?? format;
  return { bytes: await run(store, passed.statement, asked, limits), format: asked };
}

async function run(store: Store, statement: string, format: string, limits: QueryLimits): Promise<Uint8Array> {
  try {
    return await store.queryText(statement, format, limits);
  } catch (cause) {
    const message = engineMessage(cause);
    // What the engine did not say (a closed store, a lost connection) is not the writer's fault.
    if (message === undefined) throw cause;
    throw new SqlRefusedError(inPlainWords(message, limits), { cause });
  }
}

/** What the engine said of a statement, with the name of the error; undefined for any other failure. */
function engineMessage(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if (error.message.includes("DB::Exception")) return error.message.replaceAll(/Code: \d+\. DB::Exception: /g, "");
  if (error.name !== "ClickHouseError" && !("type" in error)) return undefined;
  return `${error.message} (${"type" in error ? String(error.type) : ""})`;
}

/** The engine's message in one line, and in a person's words where the cause is a limit. */
function inPlainWords(message: string, { seconds, rows, memoryBytes }: QueryLimits): string {
  if (/TIMEOUT_EXCEEDED|TOO_SLOW/.test(message)) return `the query ran longer than the ${seconds} seconds allowed`;
  if (/MEMORY_LIMIT_EXCEEDED/.test(message))
    return `the query needs more than the ${memoryBytes} bytes of memory allowed`;
  if (/TOO_MANY_ROWS|TOO_MANY_BYTES/.test(message))
    return `the answer has more than the ${rows} rows or ${memoryBytes} bytes allowed: aggregate, or add a LIMIT`;
  return message.replaceAll(/\s*\n\s*/g, " ").slice(0, 1000);
}
