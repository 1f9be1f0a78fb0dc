/** Amazon Bedrock's Converse and ConverseStream over HTTP/2, with known usage. `scenario=error` in a body asks for a 400. */

import { createServer, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import type { AddressInfo } from "node:net";
import { crc32 } from "node:zlib";
import { type Truth, usageOf } from "./truth.ts";

export interface FakeBedrock {
  /** `http://127.0.0.1:port`. */
  readonly url: string;
  readonly truths: readonly Truth[];
  close(): Promise<void>;
}

/** Starts the server on a free port of 127.0.0.1. Its answers hold the word CANARY, which no span may hold. */
export async function startFakeBedrock(): Promise<FakeBedrock> {
  const truths: Truth[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => answer(request, response, Buffer.concat(chunks).toString("utf8"), truths));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    truths,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function answer(request: Http2ServerRequest, response: Http2ServerResponse, text: string, truths: Truth[]): void {
  const failing = text.includes("scenario=error");
  const streamed = request.url.endsWith("/converse-stream");
  const usage = usageOf(truths.length);
  truths.push({
    api: "bedrock",
    id: "",
    model: decodeURIComponent(/\/model\/([^/]+)\//.exec(request.url)?.[1] ?? ""),
    status: failing ? 400 : 200,
    streamed,
    ...usage,
    request: JSON.parse(text) as Record<string, unknown>,
    headers: request.headers,
  });
  const inputTokens = usage.input;
  const outputTokens = usage.output;
  const bill = { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens };
  if (failing) {
    response.writeHead(400, { "content-type": "application/json" });
    response.end(JSON.stringify({ message: "CANARY error" }));
  } else if (streamed) {
    response.writeHead(200, { "content-type": "application/vnd.amazon.eventstream" });
    response.write(streamEvent("messageStart", { role: "assistant" }));
    for (const word of ["CANARY ", "answer"]) {
      response.write(streamEvent("contentBlockDelta", { contentBlockIndex: 0, delta: { text: word } }));
    }
    response.write(streamEvent("messageStop", { stopReason: "end_turn" }));
    response.end(streamEvent("metadata", { usage: bill, metrics: { latencyMs: 1 } }));
  } else {
    const message = { role: "assistant", content: [{ text: "CANARY answer" }] };
    response.writeHead(200, { "content-type": "application/json" });
    response.end(
      JSON.stringify({ output: { message }, stopReason: "end_turn", usage: bill, metrics: { latencyMs: 1 } }),
    );
  }
}

/** One message of `application/vnd.amazon.eventstream`: lengths, their CRC, headers, payload, CRC of it all. */
function streamEvent(type: string, payload: object): Buffer {
  const headers = Buffer.concat(
    Object.entries({ ":message-type": "event", ":event-type": type, ":content-type": "application/json" }).map(
      ([name, value]) => Buffer.concat([length(name.length, 1), Buffer.from(`${name}\u0007`), text16(value)]),
    ),
  );
  const body = Buffer.from(JSON.stringify(payload));
  const lengths = Buffer.concat([length(headers.length + body.length + 16, 4), length(headers.length, 4)]);
  const message = Buffer.concat([lengths, length(crc32(lengths), 4), headers, body]);
  return Buffer.concat([message, length(crc32(message), 4)]);
}

function text16(value: string): Buffer {
  return Buffer.concat([length(value.length, 2), Buffer.from(value)]);
}

function length(value: number, bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  buffer.writeUIntBE(value, 0, bytes);
  return buffer;
}
