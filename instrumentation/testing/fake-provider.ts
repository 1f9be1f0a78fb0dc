/**
 * A local server that speaks the real wire formats of OpenAI, Anthropic and Gemini and knows the usage of every call.
 * `scenario=NAME` anywhere in a request body (or in its path) asks for trouble; without it calls just succeed.
 */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { type Truth, usageOf } from "./truth.ts";
import { anthropicAnswer, anthropicEvents } from "./wire-anthropic.ts";
import { geminiAnswer, geminiEvents } from "./wire-gemini.ts";
import {
  chatAnswer,
  chatEvents,
  embeddingsAnswer,
  mediaAnswer,
  responsesAnswer,
  responsesEvents,
} from "./wire-openai.ts";

export interface FakeProvider {
  /** `http://127.0.0.1:port`, without a path. */
  readonly url: string;
  readonly truths: readonly Truth[];
  /** Baggage and traceparent headers as they arrived, one entry a request. */
  readonly received: readonly { readonly path: string; readonly headers: IncomingMessage["headers"] }[];
  close(): Promise<void>;
}

type Json = Readonly<Record<string, unknown>>;

/** Starts the server on a free port of 127.0.0.1. */
export async function startFakeProvider(): Promise<FakeProvider> {
  const truths: Truth[] = [];
  const received: { path: string; headers: IncomingMessage["headers"] }[] = [];
  const failedOnce = new Set<string>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const path = request.url ?? "";
      received.push({ path, headers: request.headers });
      const text = Buffer.concat(chunks).toString("utf8");
      answer({ path, text, request, response, truths, failedOnce });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    truths,
    received,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

interface Exchange {
  readonly path: string;
  readonly text: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly truths: Truth[];
  readonly failedOnce: Set<string>;
}

function answer(exchange: Exchange): void {
  const { path, text, response, truths, failedOnce } = exchange;
  const scenario = /scenario=(\w+)/.exec(`${path} ${text}`)?.[1] ?? "";
  const body = parse(text);
  const streamed = body["stream"] === true || path.includes("streamGenerateContent");
  const api = apiOf(path);
  if (api === undefined) {
    send(response, 404, { error: { message: `no such path ${path}` } });
    return;
  }
  const n = truths.length;
  const refused = statusOf(scenario, body, `${path}${text.length}`, failedOnce);
  const truth: Truth = {
    api,
    id: `${api}-${n}`,
    model: typeof body["model"] === "string" ? body["model"] : (/models\/([^:/]+):/.exec(path)?.[1] ?? "unknown"),
    status: refused ?? 200,
    streamed,
    ...usageOf(n),
    request: body,
    headers: exchange.request.headers,
  };
  truths.push(truth);
  if (refused !== undefined) {
    if (refused === 429) response.setHeader("retry-after-ms", "1");
    send(response, refused, { error: { type: "error", message: messageOf(refused, text) } });
    return;
  }
  if (scenario === "hang") return;
  if (streamed) sendEvents(response, eventsOf(truth, scenario), scenario);
  else sendWhole(response, answerOf(truth, scenario), scenario);
}

function parse(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return {};
  }
}

function apiOf(path: string): Truth["api"] | undefined {
  const plain = path.split("?")[0] ?? "";
  if (plain.endsWith("/chat/completions")) return "chat";
  if (plain.endsWith("/responses")) return "responses";
  if (plain.endsWith("/embeddings")) return "embeddings";
  if (plain.endsWith("/messages")) return "anthropic";
  if (/\/images\/\w+$/.test(plain)) return "images";
  if (/\/audio\/\w+$/.test(plain)) return "audio";
  return /\/models\/[^/]+:\w+$/.test(plain) ? "gemini" : undefined;
}

function statusOf(scenario: string, body: Json, key: string, failedOnce: Set<string>): number | undefined {
  if (scenario === "error429") return 429;
  if (scenario === "error500") return 500;
  if (scenario === "error400") return 400;
  if (scenario === "refuse" && body["stream_options"] !== undefined) return 422;
  if (scenario !== "flaky" || failedOnce.has(key)) return undefined;
  failedOnce.add(key);
  return 429;
}

/** Providers echo requests in their messages, which is why messages are never recorded. */
function messageOf(status: number, text: string): string {
  return status === 422 ? "Extra inputs are not permitted: stream_options" : `cannot serve: ${text.slice(0, 2000)}`;
}

function answerOf(truth: Truth, scenario: string): Json {
  const tools = scenario === "tools";
  if (truth.api === "chat") return chatAnswer(truth, tools, scenario === "big");
  if (truth.api === "responses") return responsesAnswer(truth, tools);
  if (truth.api === "embeddings") return embeddingsAnswer(truth);
  if (truth.api === "anthropic") return anthropicAnswer(truth, tools);
  if (truth.api === "gemini") return geminiAnswer(truth, tools);
  return mediaAnswer(truth);
}

function eventsOf(truth: Truth, scenario: string): string[] {
  const tools = scenario === "tools";
  if (truth.api === "chat") return chatEvents(truth, tools);
  if (truth.api === "responses") return responsesEvents(truth, tools);
  if (truth.api === "anthropic") return anthropicEvents(truth, tools);
  return geminiEvents(truth, tools);
}

function send(response: ServerResponse, status: number, body: Json): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

function sendWhole(response: ServerResponse, body: Json, scenario: string): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response.setHeader("content-type", "application/json");
  response.setHeader("x-request-id", "req_1");
  if (scenario === "truncated") {
    response.end(bytes.subarray(0, bytes.length - 20));
  } else if (scenario === "cut") {
    response.setHeader("content-length", bytes.length);
    response.write(bytes.subarray(0, 40));
    setTimeout(() => response.destroy(), 20);
  } else if (scenario === "gzip") {
    response.setHeader("content-encoding", "gzip");
    response.end(gzipSync(bytes));
  } else if (scenario === "slow") {
    response.write(bytes.subarray(0, 10));
    setTimeout(() => response.end(bytes.subarray(10)), 5000).unref();
  } else response.end(bytes);
}

function sendEvents(response: ServerResponse, events: string[], scenario: string): void {
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
  if (scenario === "broken") {
    response.end(`: comment\n\ndata: {"choices":[{"del\n\ndata: {not json}\r\n\r\n${events.join("")}data: unfinished`);
    return;
  }
  if (scenario === "bytes") {
    // One event over many packets and many events in one packet.
    const all = Buffer.from(events.join(""));
    for (let at = 0; at < all.length; at += 37) response.write(all.subarray(at, at + 37));
    response.end();
    return;
  }
  if (scenario === "drop") {
    for (const event of events.slice(0, 3)) response.write(event);
    setTimeout(() => response.destroy(), 30);
    return;
  }
  if (scenario === "slow") {
    for (const event of events.slice(0, 3)) response.write(event);
    setTimeout(() => response.end(events.slice(3).join("")), 5000).unref();
    return;
  }
  for (const event of events) response.write(event);
  response.end();
}
