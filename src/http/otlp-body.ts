/** Reads the body of a request within limits of size, time and shared memory. */

import type { IncomingMessage } from "node:http";
import type { ByteLease } from "./otlp-in-flight.ts";

/** `gone`: the client closed the connection first, so there is nobody to answer. */
export type BodyRead =
  | { readonly kind: "body"; readonly bytes: Buffer }
  | { readonly kind: "refused"; readonly status: 400 | 408 | 413 | 429; readonly message: string }
  | { readonly kind: "gone" };

/** With 429 the same body may come again; otherwise it is dropped. */
export type Refused = Extract<BodyRead, { kind: "refused" }>;

export interface BodyLimits {
  readonly bytesMax: number;
  /** For the whole body, however it trickles. */
  readonly deadlineMs: number;
  readonly lease: ByteLease;
}

/** Content-Length where the client sends one; Node's parser has checked that it is a number and that the body keeps to it. */
export function declaredBytes(request: IncomingMessage): number | undefined {
  const header = request.headers["content-length"];
  return header === undefined ? undefined : Number(header);
}

/**
 * Reads until the end or the first broken limit; then it stops listening and leaves the stream paused. The bytes are
 * taken from the lease as declared, or chunk by chunk where nothing is declared, and stay taken.
 */
export function readBody(request: IncomingMessage, limits: BodyLimits): Promise<BodyRead> {
  const { bytesMax, deadlineMs, lease } = limits;
  const declared = declaredBytes(request);
  if ((declared ?? 0) > bytesMax) return Promise.resolve(tooLarge(bytesMax));
  if (!lease.take(declared ?? 0)) return Promise.resolve(crowded);
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const settle = (read: BodyRead) => {
      clearTimeout(deadline);
      request.off("data", onData).off("end", onEnd).off("close", onClose);
      request.pause();
      resolve(read);
    };
    const onData = (chunk: Buffer) => {
      size += chunk.length;
      if (size > bytesMax) return settle(tooLarge(bytesMax));
      if (declared === undefined && !lease.take(chunk.length)) return settle(crowded);
      chunks.push(chunk);
    };
    const onEnd = () =>
      settle({ kind: "body", bytes: chunks[0]?.length === size ? chunks[0] : Buffer.concat(chunks, size) });
    const onClose = () => settle({ kind: "gone" });
    const late = `the body did not arrive within ${deadlineMs / 1000} s`;
    const deadline = setTimeout(settle, deadlineMs, { kind: "refused", status: 408, message: late });
    request.on("data", onData).on("end", onEnd).on("close", onClose);
    if (request.destroyed) onClose();
  });
}

const crowded: BodyRead = { kind: "refused", status: 429, message: "too many bytes of other requests are in flight" };

function tooLarge(bytesMax: number): BodyRead {
  const message = `the body is larger than ${bytesMax} bytes; compress it or lower the batch size of the exporter`;
  return { kind: "refused", status: 413, message };
}
