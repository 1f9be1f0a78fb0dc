/** Sends an answer, also to a client that is still sending its body. */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Answer } from "./otlp-answers.ts";
import { declaredBytes } from "./otlp-body.ts";

/** How long, and how much, a client may go on sending to a connection that will be closed. */
const lingerMs = 2000;
const lingerBytesMax = 8 * 1024 * 1024;

export interface Sending {
  readonly answer: Answer;
  /** A declared body up to this size is passed over to keep the connection; beyond it the connection is closed. */
  readonly drainBytesMax: number;
}

/**
 * Sends the answer. Where the rest of the body is not worth waiting for the connection is closed, but not at once: a
 * close with unread bytes makes TCP reset the connection, and a reset can overtake the answer.
 */
export function sendAnswer(request: IncomingMessage, response: ServerResponse, sending: Sending): void {
  const { answer, drainBytesMax } = sending;
  if (response.destroyed) return;
  const headers = { ...answer.headers, "content-length": String(answer.body.length) };
  const keeps = answer.status !== 408 && (declaredBytes(request) ?? Number.POSITIVE_INFINITY) <= drainBytesMax;
  if (request.complete || keeps) {
    response.writeHead(answer.status, headers).end(answer.body);
    request.resume();
    return;
  }
  response.writeHead(answer.status, { ...headers, connection: "close" });
  // All of the answer but not the end of it, upon which Node would close the connection.
  response.write(answer.body);
  let left = lingerBytesMax;
  const close = () => {
    clearTimeout(deadline);
    request.off("data", onData);
    response.end();
  };
  const onData = (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) close();
  };
  const deadline = setTimeout(close, lingerMs);
  request.once("end", close).once("close", close).on("data", onData).resume();
}
