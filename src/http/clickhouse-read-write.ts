/**
 * The read-write form of the ClickHouse HTTP interface: the embedded engine as a server for test suites. It checks
 * nothing, so `burnwatch serve` never opens it. Each request has a connection of its own, since `SET` and `USE` stay on
 * one: what a request sets ends with it, as on a real server.
 */

import { randomUUID } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Session } from "chdb";
import { type ChdbConnection, createChdbConnection } from "chdb/connection";
import { readTokens, SqlTokenError } from "../query/sql-tokens.ts";
import type { ClickhouseEngine, ClickhouseQuestion } from "./clickhouse-engine.ts";
import { ClickhouseError } from "./clickhouse-error.ts";
import { bindClickhouseParameters } from "./clickhouse-parameters.ts";

export interface ReadWriteEngine extends ClickhouseEngine {
  /** Lets go of the data directory once the last request has ended. */
  close(): Promise<void>;
}

/** Parameters of the HTTP server that the engine inside it does not know as settings. */
const transportSettings: ReadonlySet<string> = new Set(
  "wait_end_of_query buffer_size stacktrace quota_key client_protocol_version session_timeout session_check".split(" "),
);

/**
 * An engine over a data directory of its own. One process has one such directory.
 * @param configFile of a server (XML): what it says of clusters, disks and macros is known to the engine.
 */
export function openReadWriteEngine(directory: string, configFile?: string): ReadWriteEngine {
  // The engine lives while any connection to it does, with the configuration of the first.
  const first =
    configFile === undefined ? null : new Session(directory, { connectionArgs: [`--config-file=${configFile}`] });
  const anchor = createChdbConnection({ path: directory });
  const running = new Set<Promise<void>>();
  const text = async (sql: string) => (await anchor.chdb.queryAsync(sql, { format: "TSVRaw" })).text().trimEnd();
  return {
    version: () => text("SELECT version()"),
    async answer(question, sink) {
      const work = (async () => {
        const connection = createChdbConnection({ path: directory });
        const file = question.rows.length === 0 ? undefined : join(tmpdir(), `burnwatch-rows-${randomUUID()}`);
        try {
          await prepare(connection, question);
          if (file !== undefined) await writeFile(file, question.rows);
          const { statement, format } = statementOf(question, file);
          const result = await connection.chdb.queryAsync(statement, { format: question.format });
          sink.begin({
            format,
            contentType: contentTypeOf(format),
            timezone: question.settings.get("session_timezone") ?? "UTC",
            ignored: [...question.settings.keys()].filter((name) => transportSettings.has(name)),
          });
          await sink.write(result.bytes());
        } finally {
          await connection.close();
          if (file !== undefined) await rm(file, { force: true });
        }
      })();
      running.add(work);
      await work.finally(() => running.delete(work));
    },
    async close() {
      await Promise.allSettled(running);
      await anchor.close();
      first?.close();
    },
  };
}

/** Database and settings of this request, and read-only last, since nothing can be set after it. */
async function prepare({ chdb }: ChdbConnection, { database, settings, readOnly }: ClickhouseQuestion): Promise<void> {
  if (database !== "") await chdb.queryAsync(`USE \`${database.replace(/[`\\]/g, "\\$&")}\``);
  // A server's default; the engine alone would acknowledge inserts that it has not written.
  await chdb.queryAsync("SET async_insert = 0");
  const readonly = settings.get("readonly") ?? (readOnly ? "2" : undefined);
  for (const [name, value] of settings) {
    if (name === "session_id" || ((name === "compress" || name === "decompress") && value !== "0"))
      throw new ClickhouseError("NOT_IMPLEMENTED", `${name} is not served`);
    if (transportSettings.has(name) || ["readonly", "compress", "decompress"].includes(name)) continue;
    if (!/^\w+$/.test(name)) throw new ClickhouseError("UNKNOWN_SETTING", `Unknown setting '${name}'`);
    await chdb.queryAsync(`SET ${name} = ${quote(value)}`);
  }
  if (readonly !== undefined) await chdb.queryAsync(`SET readonly = ${quote(readonly)}`);
}

function quote(value: string): string {
  return `'${value.replace(/[\\']/g, "\\$&")}'`;
}

const insertOfRows = /^\s*INSERT\s+INTO\s[^;]*?\bFORMAT\s+(\w+)[ \t]*(?:\r?\n|;|$)/i;

/**
 * The statement with its parameters in place. Rows behind an INSERT in the body stay as they are; rows of their own come
 * from a file, since a statement is text and they may be bytes.
 */
function statementOf(
  { sql, parameters, format }: ClickhouseQuestion,
  file: string | undefined,
): { statement: string; format: string } {
  const [head, rowsFormat] = insertOfRows.exec(sql) ?? [];
  if (head !== undefined) {
    const bound = bindClickhouseParameters(head, parameters);
    if (file === undefined) return { statement: bound + sql.slice(head.length), format };
    const target = bound.replace(/\bFORMAT\s+\w+\s*;?\s*$/i, "");
    return { statement: `${target} FROM INFILE ${quote(file)} FORMAT ${rowsFormat}`, format };
  }
  if (/^\s*INSERT\b/i.test(sql))
    return { statement: parameters.size === 0 ? sql : bindClickhouseParameters(sql, parameters), format };
  const statement = bindClickhouseParameters(sql, parameters);
  refuseSecondStatement(statement);
  return { statement, format: /\bFORMAT\s+(\w+)\s*;?\s*$/i.exec(statement)?.[1] ?? format };
}

/** The engine would run one after the other; a server refuses. */
function refuseSecondStatement(sql: string): void {
  try {
    const tokens = readTokens(sql);
    while (tokens.at(-1)?.text === ";") tokens.pop();
    if (tokens.some(({ kind, text }) => kind === "symbol" && text === ";"))
      throw new ClickhouseError("SYNTAX_ERROR", "Syntax error (Multi-statements are not allowed)");
  } catch (error) {
    // What we cannot read, the engine judges.
    if (!(error instanceof SqlTokenError)) throw error;
  }
}

function contentTypeOf(format: string): string {
  if (/^JSON/i.test(format)) return "application/json; charset=UTF-8";
  return /^(?:CSV|TSV|TabSep)/i.test(format) ? "text/plain; charset=UTF-8" : "application/octet-stream";
}
