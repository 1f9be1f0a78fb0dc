/** A request of OTLP/gRPC as a gRPC library sends it, cheap enough for a bench: a gzipped message in its frame. */

import { type ClientHttp2Session, connect } from "node:http2";

const frameHeadBytes = 5;
const path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const unavailable = 14;

/** What an answer means to an exporter, in the words of HTTP. */
export interface Posted {
  readonly status: number;
  readonly retryAfterSeconds: number;
  readonly text: string;
}

/** A connection of its own, and what sends one body over it. */
export function openGrpc(url: string): { post(body: Buffer): Promise<Posted>; close(): void } {
  const session = connect(url);
  return { post: (body) => post(session, body), close: () => session.close() };
}

function post(session: ClientHttp2Session, body: Buffer): Promise<Posted> {
  const framed = Buffer.allocUnsafe(frameHeadBytes + body.length);
  framed.writeUInt8(1, 0);
  framed.writeUInt32BE(body.length, 1);
  body.copy(framed, frameHeadBytes);
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/grpc", te: "trailers", "grpc-encoding": "gzip" };
    const stream = session.request({ ":method": "POST", ":path": path, ...headers });
    const answered = (seen: Readonly<Record<string, unknown>>) => {
      if (seen["grpc-status"] === undefined) return;
      const code = Number(seen["grpc-status"]);
      const status = code === 0 ? 200 : code === unavailable ? 503 : 500 + code;
      resolve({ status, retryAfterSeconds: 1, text: decodeURIComponent(String(seen["grpc-message"] ?? "")) });
    };
    stream.on("response", answered).on("trailers", answered).on("error", reject).resume().end(framed);
  });
}
