/** The ClickHouse HTTP interface: its paths, headers, compression and errors, around an engine that answers. */

import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { ClickhouseAnswerSink } from "./clickhouse-answer.ts";
import type { ClickhouseEngine } from "./clickhouse-engine.ts";
import { asClickhouseError, ClickhouseError, errorText } from "./clickhouse-error.ts";
import { readClickhouseRequest } from "./clickhouse-request.ts";
import { createInFlightBytes } from "./otlp-in-flight.ts";

/** What a ClickHouse server takes (`http_max_uri_size`): clients put the values of parameters there. */
const uriBytesMax = 1024 * 1024;

export interface ClickhouseServerOptions {
  readonly engine: ClickhouseEngine;
  readonly bodyBytesMax: number;
  /** Questions at once, waiting ones included; more are refused. */
  readonly questionsMax: number;
}

const loopbackNames: ReadonlySet<string> = new Set(["127.0.0.1", "localhost", "[::1]"]);
const bodyDeadlineMs = 60_000;
const displayName = "burnwatch";

/** A server that is not listening yet. Clients of ClickHouse take it for one. */
export function createClickhouseServer(options: ClickhouseServerOptions): Server {
  const { engine, bodyBytesMax, questionsMax } = options;
  const limits = { bodyBytesMax, deadlineMs: bodyDeadlineMs, inFlight: createInFlightBytes(4 * bodyBytesMax) };
  let questions = 0;

  async function ask(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    if (questions >= questionsMax)
      throw new ClickhouseError(
        "TOO_MANY_SIMULTANEOUS_QUERIES",
        `Too many simultaneous queries. Maximum: ${questionsMax}`,
      );
    questions++;
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    try {
      const { queryId, ...asked } = await readClickhouseRequest(request, url, limits);
      if (queryId !== undefined && /^[\x21-\x7e]{1,200}$/.test(queryId))
        response.setHeader("x-clickhouse-query-id", queryId);
      const sink = new ClickhouseAnswerSink(request, response, asked.settings.get("enable_http_compression") !== "0");
      const question = { ...asked, readOnly: request.method !== "POST", signal: gone.signal };
      try {
        await engine.answer(question, sink);
      } catch (error) {
        if (!sink.sending) throw error;
        sink.fail(errorText(asClickhouseError(error), await engine.version()));
        return;
      }
      await sink.end();
    } finally {
      questions--;
    }
  }

  return createServer({ maxHeaderSize: uriBytesMax }, (request, response) => {
    response.setHeader("x-clickhouse-server-display-name", displayName);
    response.setHeader("x-clickhouse-query-id", randomUUID());
    response.setHeader("x-content-type-options", "nosniff");
    response.setHeader("cache-control", "no-store");
    route(request, response, ask)
      .catch((error: unknown) => refuse(response, error, engine))
      // Nobody is left to be told.
      .catch(() => response.destroy());
  });
}

type Ask = (request: IncomingMessage, response: ServerResponse, url: URL) => Promise<void>;

async function route(request: IncomingMessage, response: ServerResponse, ask: Ask): Promise<void> {
  checkOrigin(request);
  const method = request.method ?? "GET";
  const url = new URL(`http://localhost${request.url?.startsWith("/") ? request.url : "/"}`);
  if (method !== "GET" && method !== "POST" && method !== "HEAD") {
    request.resume();
    sendText(response, 405, `There is no method ${method}; GET, HEAD and POST are\n`, { allow: "GET, HEAD, POST" });
    return;
  }
  const isQuestion = url.pathname === "/" && (method === "POST" || url.searchParams.has("query"));
  if (isQuestion) return ask(request, response, url);
  request.resume();
  if (["/", "/ping", "/replicas_status"].includes(url.pathname)) return sendText(response, 200, "Ok.\n");
  sendText(response, 404, `There is no handle ${url.pathname}\n\nUse / or /ping for health checks.\n`);
}

/** A page of the open web must not reach this server: neither by a name of its own that resolves here, nor across. */
function checkOrigin({ headers }: IncomingMessage): void {
  const host = (headers.host ?? "").replace(/:\d+$/, "");
  if (!loopbackNames.has(host))
    throw new ClickhouseError("ACCESS_DENIED", `host ${host.slice(0, 100)}: call it as 127.0.0.1 or localhost`);
  const { origin } = headers;
  if (origin === undefined || (URL.canParse(origin) && loopbackNames.has(new URL(origin).hostname))) return;
  throw new ClickhouseError("ACCESS_DENIED", `a page of ${origin.slice(0, 100)} may not ask here`);
}

function sendText(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  const body = Buffer.from(text);
  response.writeHead(status, {
    "content-type": "text/plain; charset=UTF-8",
    "content-length": body.length,
    ...headers,
  });
  response.end(body);
}

/** An error before the first byte is an answer; after it, a connection cut short, so that no answer looks whole. */
async function refuse(response: ServerResponse, error: unknown, engine: ClickhouseEngine): Promise<void> {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const told = asClickhouseError(error);
  const version = await engine.version().catch(() => "");
  // What is left of the body is not read: the connection ends with the answer.
  const headers = { "x-clickhouse-exception-code": String(told.code), connection: "close" };
  sendText(response, told.status, errorText(told, version), headers);
}
