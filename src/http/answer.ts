/** Writing answers and reading bodies of the API: JSON in, JSON out, errors with a hint. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { StoreRefusal } from "../store/store.ts";

/** A request that cannot be served, with what to do about it. */
export class RequestError extends Error {
  override name = "RequestError";
  readonly status: number;
  readonly hint: string;

  constructor(status: number, message: string, hint = "") {
    super(message);
    this.status = status;
    this.hint = hint;
  }
}

/** @throws RequestError that says what one process of a cluster cannot tell, and what to do instead. */
export function notInCluster(what: string, hint: string): never {
  throw new RequestError(501, `${what} is not part of a cluster yet`, hint);
}

export interface TextAnswer {
  readonly status?: number;
  readonly contentType: string;
  readonly body: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Answers with a body that is ready. */
export function sendText(response: ServerResponse, answer: TextAnswer): void {
  const body = typeof answer.body === "string" ? Buffer.from(answer.body) : answer.body;
  response.writeHead(answer.status ?? 200, {
    "content-type": answer.contentType,
    "content-length": body.byteLength,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...answer.headers,
  });
  response.end(body);
}

/** Answers with a value as JSON and a final line feed. */
export function sendJson(response: ServerResponse, value: unknown, status = 200): void {
  sendText(response, { status, contentType: "application/json", body: `${JSON.stringify(value)}\n` });
}

/** Answers with `{error: {message, hint}}`; the status is 500 unless the error names one. */
export function sendError(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const known = error instanceof RequestError;
  const message = error instanceof Error ? error.message : String(error);
  const hint = known ? error.hint : "see the server's log";
  const status = error instanceof StoreRefusal ? 503 : 500;
  sendJson(response, { error: { message, hint } }, known ? error.status : status);
}

const bodyBytesMax = 1024 * 1024;

/** The JSON body of a request. @throws RequestError when it is not JSON, too large, or not declared as JSON. */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const type = request.headers["content-type"] ?? "";
  // A browser cannot send this type to another origin without asking first, so no page can post here behind a user's back.
  if (!type.startsWith("application/json")) {
    throw new RequestError(415, `content type ${type || "missing"}`, "send application/json");
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes > bodyBytesMax) throw new RequestError(413, `body of more than ${bodyBytesMax} bytes`);
    chunks.push(chunk as Buffer);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch (error) {
    throw new RequestError(400, `body is not JSON: ${(error as Error).message}`);
  }
}
