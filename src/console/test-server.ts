/** A tiny HTTP server for tests of commands: answers by method and path, and keeps what was asked. */

import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Command, CommandIo } from "./command.ts";

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON; a function writes by itself. */
  readonly body: unknown;
}

export interface TestServer {
  readonly url: string;
  readonly asked: Asked[];
  /** By `GET /api/v1/cost` and so on. */
  answers: Record<string, Answer | ((response: ServerResponse) => void)>;
  stop(): Promise<void>;
}

/** Starts a server on a free port of the loopback. */
export async function startTestServer(): Promise<TestServer> {
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? "/", "http://localhost");
    let body = "";
    for await (const chunk of request) body += String(chunk);
    const method = request.method ?? "";
    test.asked.push({ method, path: url.pathname, query: url.searchParams, headers: request.headers, body });
    const answer = test.answers[`${method} ${url.pathname}`];
    if (typeof answer === "function") return answer(response);
    const text = typeof answer?.body === "string" ? answer.body : JSON.stringify(answer?.body ?? {});
    response.writeHead(answer === undefined ? 404 : (answer.status ?? 200), answer?.headers ?? {}).end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const test: TestServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: [],
    answers: {},
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return test;
}

export interface RunOptions {
  readonly env?: Record<string, string>;
  /** Columns of a terminal; no terminal where left out. */
  readonly columns?: number;
  readonly stdin?: string;
  readonly signal?: AbortSignal;
}

/** Runs a command and gives what it printed. */
export async function runForTest(command: Pick<Command, "run">, args: readonly string[], options: RunOptions = {}) {
  const captured = capture(options);
  const code = await command.run(args, captured.io);
  return { code, out: captured.out(), err: captured.err() };
}

/** Streams and environment of a test. */
export function capture(options: RunOptions = {}): { io: CommandIo; out: () => string; err: () => string } {
  const texts = { out: "", err: "" };
  const terminal = options.columns === undefined ? {} : { isTTY: true, columns: options.columns };
  async function* stdin() {
    if (options.stdin !== undefined) yield options.stdin;
  }
  const io: CommandIo = {
    stdout: {
      write: (chunk) => {
        texts.out += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString();
      },
      ...terminal,
    },
    stderr: {
      write: (chunk) => {
        texts.err += String(chunk);
      },
      ...terminal,
    },
    stdin: Object.assign(stdin(), { isTTY: options.stdin === undefined }),
    env: options.env ?? {},
    signal: options.signal ?? new AbortController().signal,
  };
  return { io, out: () => texts.out, err: () => texts.err };
}
