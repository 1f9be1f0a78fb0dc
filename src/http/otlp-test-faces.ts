/** Test support: both OTLP faces over one made-up acceptor, and a client that says the same of both. */

import { once } from "node:events";
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { type ClientHttp2Session, connect, constants, type IncomingHttpHeaders } from "node:http2";
import type { AddressInfo, Server } from "node:net";
import { buffer } from "node:stream/consumers";
import type { AcceptExport, Producer } from "../ingest/accept-outcome.ts";
import type { SpanFilter } from "../ingest/decoded-export.ts";
import { type EncodedExport, oneLog } from "../ingest/encoded-export.ts";
import { decodeOracle } from "../ingest/otlp-oracle.ts";
import { decodeSpansEntry } from "../ingest/spans-codec.ts";
import type { Span } from "../model/span.ts";
import { createGrpcReceiver, type GrpcReceiver } from "./grpc-receiver.ts";
import { createIntake, type IntakeOptions } from "./otlp-intake.ts";
import { createPreparer } from "./otlp-preparer.ts";
import { createOtlpHandler } from "./otlp-receiver.ts";
import type { OtlpRequestEvent } from "./otlp-signal.ts";
import { traceSignal } from "./trace-signal.ts";

export interface FaceOptions extends IntakeOptions {
  readonly accept?: AcceptExport;
  /** Of bodies prepared on the spot; in the threads every span that a dialect reads is kept. */
  readonly filter?: SpanFilter;
  readonly observe?: (event: OtlpRequestEvent) => void;
}

const keepsAll: SpanFilter = { keepsAttribute: () => true, keepsSpan: () => true };

function partsOf(options: FaceOptions) {
  const { accept = async () => ({ kind: "accepted", rejected: [] }), filter = keepsAll, observe = () => {} } = options;
  const intake = createIntake(options);
  const { limits, report } = intake;
  const { prepare, close } = createPreparer({ limits, oldestMs: Number.MAX_SAFE_INTEGER, filter, layout: oneLog });
  return { intake, observe, signal: traceSignal({ accept, prepare, now: Date.now, report }), close };
}

export interface HttpHandler {
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** Ends the threads that prepare exports. */
  close(): Promise<void>;
}

/** The handler of OTLP/HTTP for traces. */
export function httpHandler(options: FaceOptions): HttpHandler {
  const { close, ...parts } = partsOf(options);
  return { handle: createOtlpHandler(parts), close };
}

function grpcReceiver(options: FaceOptions): { readonly receiver: GrpcReceiver; close(): Promise<void> } {
  const { signal, close, ...parts } = partsOf(options);
  return { receiver: createGrpcReceiver({ ...parts, signals: { traces: signal } }), close };
}

/** The spans of an export as the log will have them. */
export function spansOf({ entries }: EncodedExport): readonly Span[] {
  return entries.flatMap(({ payload }) => decodeSpansEntry(payload).spans);
}

export type Protocol = "http" | "grpc";

/** What an exporter makes of an answer, in words of both protocols. */
export interface Verdict {
  readonly kind: "taken" | "malformed" | "too large" | "too slow" | "again" | "coding unknown" | "failed";
  readonly message: string;
  readonly retryAfterSeconds?: number;
  readonly rejected?: number;
}

export interface Face {
  readonly port: number;
  readonly url: string;
  /** The spans of each. */
  readonly exports: (readonly Span[])[];
  readonly producers: Producer[];
  readonly events: OtlpRequestEvent[];
  readonly reports: unknown[];
  /** Sends a protobuf body, already coded where a coding is named. */
  send(body: Uint8Array, coding?: string): Promise<Verdict>;
  /** Begins a body of so many bytes of which `sent` are sent; the function leaves in the middle of it. */
  begin(declared: number, sent?: Uint8Array): Promise<() => void>;
  stop(): Promise<void>;
}

/** One face on a port of its own; `accept` decides what becomes of each export. */
export async function startFace(protocol: Protocol, options: FaceOptions = {}): Promise<Face> {
  const [exports, producers, events, reports]: [(readonly Span[])[], Producer[], OtlpRequestEvent[], unknown[]] = [
    [],
    [],
    [],
    [],
  ];
  const parts: FaceOptions = {
    ...options,
    async accept(received, producer) {
      exports.push(spansOf(received));
      producers.push(producer);
      return options.accept?.(received, producer) ?? { kind: "accepted", rejected: [] };
    },
    observe: (event) => events.push(event),
    report: (error) => reports.push(error),
  };
  const grpc = protocol === "grpc" ? grpcReceiver(parts) : undefined;
  const http = protocol === "http" ? httpHandler(parts) : undefined;
  const server: Server = grpc?.receiver.server ?? createServer(http?.handle);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const client = protocol === "grpc" ? grpcClient(url) : httpClient(url);
  return {
    ...{ port, url, exports, producers, events, reports, ...client },
    async stop() {
      client.leave();
      if (grpc !== undefined) await grpc.receiver.stop(100);
      else await new Promise((done) => server.close(done));
      await (grpc ?? http)?.close();
    },
  };
}

const tracesPath = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

export interface GrpcAnswer {
  readonly httpStatus: number;
  /** Headers and trailers together. */
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** A message in its frame: whether it is coded, its length, itself. */
export function framed(body: Uint8Array, coded = false, declared = body.length): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(coded ? 1 : 0, 0);
  head.writeUInt32BE(declared, 1);
  return Buffer.concat([head, body]);
}

/** One call on a session; `more` goes into its headers. Without `end` the client's half of the stream stays open. */
export async function grpcCall(
  session: ClientHttp2Session,
  data: Uint8Array,
  { path = tracesPath, end = true, ...more }: Record<string, string | boolean> = {},
): Promise<GrpcAnswer> {
  const headers = { "content-type": "application/grpc", te: "trailers", "user-agent": "test/1", ...more };
  const stream = session.request({ ":method": "POST", ":path": String(path), ...headers } as IncomingHttpHeaders);
  let seen: IncomingHttpHeaders = {};
  stream.on("response", (head) => (seen = { ...seen, ...head }));
  stream.on("trailers", (trailers) => (seen = { ...seen, ...trailers }));
  // The server may answer and close before all is written; the answer is what counts.
  stream.on("error", () => {});
  if (end) stream.end(data);
  else stream.write(data);
  const chunks: Buffer[] = [];
  stream.on("data", (chunk) => chunks.push(chunk));
  await once(stream, "end");
  if (seen["grpc-status"] === undefined) await once(stream, "close");
  return { httpStatus: Number(seen[":status"]), headers: seen, body: Buffer.concat(chunks) };
}

function grpcClient(url: string) {
  const session = connect(url);
  session.on("error", () => {});
  return {
    async send(body: Uint8Array, coding?: string): Promise<Verdict> {
      const coded = coding === undefined ? {} : { "grpc-encoding": coding };
      return grpcVerdict(await grpcCall(session, framed(body, coding !== undefined), coded));
    },
    async begin(declared: number, sent: Uint8Array = Buffer.alloc(0)) {
      const headers = { "content-type": "application/grpc", te: "trailers" };
      const stream = session.request({ ":method": "POST", ":path": tracesPath, ...headers });
      stream.on("error", () => {});
      stream.on("data", () => {});
      stream.write(framed(sent, false, declared));
      return () => stream.close(constants.NGHTTP2_CANCEL);
    },
    leave: () => session.destroy(),
  };
}

const grpcKinds: Readonly<Record<string, Verdict["kind"]>> = {
  0: "taken",
  3: "malformed",
  4: "too slow",
  8: "too large",
  12: "coding unknown",
  13: "failed",
  14: "again",
};

/** @throws Error for an answer that is no gRPC. */
export function grpcVerdict({ headers, body }: GrpcAnswer): Verdict {
  const kind = grpcKinds[String(headers["grpc-status"])];
  if (kind === undefined) throw new Error(`grpc-status ${headers["grpc-status"]}: ${headers["grpc-message"]}`);
  const message = decodeURIComponent(String(headers["grpc-message"] ?? ""));
  if (kind === "taken") return takenVerdict(body.subarray(5));
  const details = headers["grpc-status-details-bin"];
  if (details === undefined) return { kind, message };
  return { kind, message, retryAfterSeconds: retryDelay(Buffer.from(String(details), "base64")) };
}

function takenVerdict(body: Uint8Array): Verdict {
  const answer = decodeOracle("ExportTraceServiceResponse", body);
  const partial = answer["partialSuccess"] as { rejectedSpans: string; errorMessage: string } | undefined;
  if (partial === undefined) return { kind: "taken", message: "" };
  return { kind: "taken", message: partial.errorMessage, rejected: Number(partial.rejectedSpans) };
}

function retryDelay(details: Buffer): number {
  const { code, details: any } = decodeOracle("RpcStatus", details) as {
    code: number;
    details: { typeUrl: string; value: string }[];
  };
  if (code !== 14 || any[0]?.typeUrl !== "type.googleapis.com/google.rpc.RetryInfo")
    throw new Error(`no RetryInfo in ${JSON.stringify({ code, any })}`);
  const info = decodeOracle("RetryInfo", Buffer.from(any[0].value, "base64"));
  return Number((info["retryDelay"] as { seconds: string }).seconds);
}

const httpKinds: Readonly<Record<number, Verdict["kind"]>> = {
  200: "taken",
  400: "malformed",
  408: "too slow",
  413: "too large",
  415: "coding unknown",
  429: "again",
  500: "failed",
  503: "again",
};

function httpClient(url: string) {
  const headers = { "content-type": "application/x-protobuf", "user-agent": "test/1" };
  const open = (more: Record<string, string | number>) => {
    const outgoing = httpRequest(`${url}/v1/traces`, { method: "POST", headers: { ...headers, ...more } });
    outgoing.on("error", () => {});
    return outgoing;
  };
  return {
    async send(body: Uint8Array, coding?: string): Promise<Verdict> {
      const outgoing = open(coding === undefined ? {} : { "content-encoding": coding });
      outgoing.end(body);
      const [response] = await once(outgoing, "response");
      const answer = await buffer(response);
      const kind = httpKinds[response.statusCode] ?? "failed";
      if (kind === "taken") return takenVerdict(answer);
      const message = String(decodeOracle("RpcStatus", answer)["message"]);
      const retryAfter = response.headers["retry-after"];
      return { kind, message, ...(retryAfter === undefined ? {} : { retryAfterSeconds: Number(retryAfter) }) };
    },
    async begin(declared: number, sent: Uint8Array = Buffer.alloc(0)) {
      const outgoing = open({ "content-length": declared });
      outgoing.flushHeaders();
      if (sent.length > 0) outgoing.write(sent);
      return () => outgoing.destroy();
    },
    leave: () => {},
  };
}
