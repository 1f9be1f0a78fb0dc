/** The answers of OTLP/HTTP, in the encoding of the request. */

import protobuf from "protobufjs/minimal.js";
import type { RejectedSpan } from "../ingest/decoded-export.ts";

export type OtlpEncoding = "protobuf" | "json";

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

const contentTypes = { protobuf: "application/x-protobuf", json: "application/json" } as const;

/** google.rpc.Code for our HTTP codes (googleapis/google/rpc/code.proto); clients may log it, none acts on it. */
const rpcCodes: Readonly<Record<number, number>> = {
  400: 3, // INVALID_ARGUMENT
  405: 12, // UNIMPLEMENTED
  408: 4, // DEADLINE_EXCEEDED
  413: 8, // RESOURCE_EXHAUSTED
  415: 3,
  429: 8,
  500: 13, // INTERNAL
  503: 14, // UNAVAILABLE
};

const reasonsMax = 5;
const reasonLengthMax = 300;

/** 200 with an ExportTraceServiceResponse; `partial_success` is set only where spans were rejected, as the spec demands. */
export function successAnswer(encoding: OtlpEncoding, rejected: readonly RejectedSpan[]): Answer {
  const partial = rejected.length > 0;
  const errorMessage = partial ? summarize(rejected) : "";
  let body: Buffer;
  if (encoding === "json") {
    const partialSuccess = { rejectedSpans: String(rejected.length), errorMessage };
    body = Buffer.from(JSON.stringify(partial ? { partialSuccess } : {}));
  } else if (partial) {
    const writer = protobuf.Writer.create().uint32(0x0a).fork();
    writer.uint32(0x08).int64(rejected.length).uint32(0x12).string(errorMessage).ldelim();
    body = Buffer.from(writer.finish());
  } else {
    body = Buffer.alloc(0);
  }
  return { status: 200, headers: { "content-type": contentTypes[encoding] }, body };
}

/** An error with a google.rpc.Status body. `headers` may add Allow, Retry-After and the like. */
export function failureAnswer(
  encoding: OtlpEncoding,
  status: number,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  const code = rpcCodes[status] ?? 2;
  const body =
    encoding === "json"
      ? Buffer.from(JSON.stringify({ code, message }))
      : Buffer.from(protobuf.Writer.create().uint32(0x08).int32(code).uint32(0x12).string(message).finish());
  return { status, headers: { ...headers, "content-type": contentTypes[encoding] }, body };
}

/** Retry-After in whole seconds, at least one (RFC 9110, 10.2.3). */
export function retryAfter(seconds: number): Readonly<Record<string, string>> {
  return { "retry-after": String(Math.max(1, Math.ceil(seconds))) };
}

/** The first few distinct reasons with how many spans each concerns and where the first one stands. */
function summarize(rejected: readonly RejectedSpan[]): string {
  const groups = new Map<string, { count: number; readonly first: number }>();
  let others = 0;
  for (const { reason, index } of rejected) {
    const group = groups.get(reason);
    if (group !== undefined) group.count++;
    else if (groups.size < reasonsMax) groups.set(reason, { count: 1, first: index });
    else others++;
  }
  const parts = [...groups].map(([reason, { count, first }]) => {
    const text = reason.length > reasonLengthMax ? `${reason.slice(0, reasonLengthMax)}...` : reason;
    return count === 1 ? `span ${first}: ${text}` : `${count} spans, the first at ${first}: ${text}`;
  });
  if (others > 0) parts.push(`${others} spans for other reasons`);
  return parts.join("; ");
}
