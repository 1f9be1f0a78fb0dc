/** People's SQL over the ClickHouse protocol: through the SQL gate, to the store, within limits. Nothing is changed. */

import { askSql } from "../query/ask-sql.ts";
import type { AskOptions, QueryLimits, Store } from "../store/store.ts";
import type { AnswerSink, ClickhouseEngine, ClickhouseQuestion } from "./clickhouse-engine.ts";
import { ClickhouseError } from "./clickhouse-error.ts";
import { bindClickhouseParameters } from "./clickhouse-parameters.ts";
import { judgeSettings } from "./clickhouse-settings.ts";

export interface ReadOnlyEngineOptions {
  readonly store: Store;
  /** The store's own database; clients also name it `default`, or not at all. */
  readonly database: string;
  readonly limits: QueryLimits;
  /** Of an answer that cannot be sent in pieces, in the engine's own representation; as text it is a few times that. */
  readonly wholeAnswerBytesMax: number;
}

/** What is asked once: the engine's version, its zone, its settings, and the type of content of each format. */
interface Server {
  readonly version: string;
  readonly timezone: string;
  readonly settings: ReadonlySet<string>;
  /** By format in lower case. */
  readonly formats: ReadonlyMap<string, { readonly name: string; readonly contentType: string }>;
}

/** Protocols of other servers, whose bytes mean nothing over HTTP. */
const wireFormats: ReadonlySet<string> = new Set(["MySQLWire", "PostgreSQLWire", "ODBCDriver2", "Buffers"]);

/** Formats whose pieces, one after the other, are the whole. */
const pieceFormats =
  /^(?:JSONEachRow|JSONCompactEachRow|JSONStringsEachRow|JSONCompactStringsEachRow|JSONLines|JSONL|NDJSON|CSV|TSV|TabSeparated|TSVRaw|TabSeparatedRaw|Raw|TSKV|LineAsString|RowBinary|Native)$/i;

/** An engine that reads, and refuses the rest. */
export function createReadOnlyEngine(options: ReadOnlyEngineOptions): ClickhouseEngine {
  const { store, database } = options;
  let known: Promise<Server> | undefined;
  const server = () => {
    known ??= describeServer(store);
    known.catch(() => (known = undefined));
    return known;
  };
  return {
    version: async () => (await server()).version,
    async answer(question, sink) {
      if (question.database !== "" && question.database !== "default" && question.database !== database)
        throw new ClickhouseError(
          "UNKNOWN_DATABASE",
          `Database ${question.database.slice(0, 100)} does not exist here; the database is ${database}`,
        );
      if (question.sql.trim() === "") throw new ClickhouseError("SYNTAX_ERROR", "Syntax error: Empty query");
      await answer(options, await server(), question, sink);
    },
  };
}

async function describeServer(store: Store): Promise<Server> {
  const [about] = await store.query<{ version: string; timezone: string }>(
    "SELECT version() AS version, timezone() AS timezone",
  );
  const formats = await store.query<{ name: string; contentType: string }>(
    "SELECT name, content_type AS contentType FROM system.formats WHERE is_output",
  );
  const settings = await store.query<{ name: string }>("SELECT name FROM system.settings");
  const usable = formats.filter(({ name }) => !wireFormats.has(name));
  return {
    version: about?.version ?? "",
    timezone: about?.timezone ?? "UTC",
    settings: new Set(settings.map(({ name }) => name)),
    formats: new Map(usable.map((format) => [format.name.toLowerCase(), format])),
  };
}

async function answer(options: ReadOnlyEngineOptions, server: Server, question: ClickhouseQuestion, sink: AnswerSink) {
  const { store, limits, wholeAnswerBytesMax } = options;
  const { settings, limits: lowered, ignored } = judgeSettings(question.settings, limits, server.settings);
  const sql = bindClickhouseParameters(question.sql, question.parameters);
  const asking: AskOptions = { ...lowered, settings, signal: question.signal };
  const passed = await passGate(store, sql, { format: question.format, limits, asking });
  const format = server.formats.get(passed.format.toLowerCase());
  if (format === undefined)
    throw new ClickhouseError("UNKNOWN_FORMAT", `Unknown format ${passed.format.slice(0, 100)}`);
  const { name, contentType } = format;
  const head = { format: name, contentType, timezone: settings["session_timezone"] ?? server.timezone, ignored };
  if (pieceFormats.test(name) && /^[\s(]*(?:SELECT|WITH)\b/i.test(passed.statement)) {
    let begun = false;
    await store.streamText(passed.statement, name, asking, (piece) => {
      if (!begun) sink.begin(head);
      begun = true;
      return sink.write(piece);
    });
    if (!begun) sink.begin(head);
    return;
  }
  const bytesMax = Math.min(wholeAnswerBytesMax, Number(settings["max_result_bytes"] ?? wholeAnswerBytesMax));
  const whole = { ...asking, settings: { ...settings, max_result_bytes: String(bytesMax) } };
  const bytes = await store.queryText(passed.statement, name, whole);
  sink.begin(head);
  await sink.write(bytes);
}

interface Asked {
  readonly format: string;
  /** The limits of the server: the gate's own look at the statement is not subject to the client's. */
  readonly limits: QueryLimits;
  readonly asking: AskOptions;
}

/**
 * What `askSql` would run, and in which format. The one gate judges everything: it is given a store that does its
 * questions about the statement, and only notes the statement itself, which is then run piece by piece.
 */
async function passGate(store: Store, sql: string, { format, limits, asking }: Asked) {
  let statement = "";
  const queryText: Store["queryText"] = async (text, textFormat) => {
    statement = text;
    return /^EXPLAIN AST /.test(text) ? store.queryText(text, textFormat, limits) : new Uint8Array();
  };
  const judge = new Proxy(store, {
    get(target, name) {
      if (name === "queryText") return queryText;
      const member: unknown = Reflect.get(target, name);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  const passed = await askSql(judge, sql, format, asking);
  return { statement, format: passed.format };
}
