/** Reads an `IncomingMessage` as the parser fills it; the application's stream is filled by the same pushes. */

import type { IncomingMessage } from "node:http";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";
import type { Call } from "../call.ts";
import { type BodyObserver, observeBody } from "./body-observer.ts";

/** Observes the answer of a call. Nothing is buffered for the application and no listener is added. */
export function observeIncoming(response: IncomingMessage, call: Call): void {
  const status = response.statusCode ?? 0;
  call.answered(status);
  if (status >= 400) {
    call.end();
    return;
  }
  const contentType = String(response.headers["content-type"] ?? "").toLowerCase();
  const observer = observeBody(call, contentType);
  const decoder = decoderOf(String(response.headers["content-encoding"] ?? ""));
  if (decoder === undefined) observePlain(response, call, observer);
  else observeEncoded(response, call, observer, decoder);
  endWithStream(response, call);
}

function observePlain(response: IncomingMessage, call: Call, observer: BodyObserver): void {
  const push = response.push.bind(response);
  response.push = ((chunk: Buffer | null) => {
    const delivered = chunk === null ? observer.end() : observer.write(chunk);
    let wantsMore = true;
    for (const bytes of delivered) if (bytes.length > 0) wantsMore = push(bytes);
    if (chunk !== null) return wantsMore;
    call.end();
    return push(null);
  }) as IncomingMessage["push"];
}

type Decoder = ReturnType<typeof createGunzip>;

function decoderOf(encoding: string): Decoder | undefined {
  if (encoding === "gzip" || encoding === "x-gzip") return createGunzip();
  if (encoding === "deflate") return createInflate();
  return encoding === "br" ? createBrotliDecompress() : undefined;
}

/** A compressed body is decoded beside the application's own decoding; it is passed on as it came. */
function observeEncoded(response: IncomingMessage, call: Call, observer: BodyObserver, decoder: Decoder): void {
  decoder.on("data", (bytes: Buffer) => void observer.write(bytes));
  decoder.on("end", () => {
    observer.end();
    call.end();
  });
  decoder.on("error", () => call.end());
  const push = response.push.bind(response);
  response.push = ((chunk: Buffer | null) => {
    if (chunk === null) decoder.end();
    else decoder.write(chunk);
    return push(chunk);
  }) as IncomingMessage["push"];
}

function endWithStream(response: IncomingMessage, call: Call): void {
  const emit = response.emit.bind(response);
  response.emit = ((event: string, ...values: unknown[]) => {
    if (event === "error") call.fail(values[0]);
    else if (event === "close" && !response.complete) call.fail({ name: "AbortError" });
    return Reflect.apply(emit, response, [event, ...values]);
  }) as IncomingMessage["emit"];
}
