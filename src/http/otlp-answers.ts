/** The answers of OTLP: those of OTLP/HTTP in the encoding of the request, and the messages that OTLP/gRPC shares with it. */

import protobuf from "protobufjs/minimal.js";
export type OtlpEncoding = "protobuf" | "json";

/** How one kind of telemetry is called in its answers. */
export interface SignalWords {
  readonly telemetry: "traces" | "metrics";
  readonly item: string;
  readonly items: string;
  /** Of its partial success, in JSON. */
  readonly rejectedField: string;
}

/** An item of a request that is not kept. */
export interface Rejection {
  /** Its place in the request, from 0. */
  readonly index: number;
  readonly reason: string;
}

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

/** 200 with the response message. */
export function successAnswer(encoding: OtlpEncoding, words: SignalWords, rejected: readonly Rejection[]): Answer {
  const body = encoding === "json" ? successJson(words, rejected) : successProtobuf(words, rejected);
  return { status: 200, headers: { "content-type": contentTypes[encoding] }, body };
}

function successJson(words: SignalWords, rejected: readonly Rejection[]): Buffer {
  if (rejected.length === 0) return Buffer.from("{}");
  const counted = { [words.rejectedField]: String(rejected.length), errorMessage: summarize(words, rejected) };
  return Buffer.from(JSON.stringify({ partialSuccess: counted }));
}

/**
 * An Export...ServiceResponse, of one shape for all telemetry; `partial_success` is set only where something was rejected,
 * as the spec demands.
 */
export function successProtobuf(words: SignalWords, rejected: readonly Rejection[]): Buffer {
  if (rejected.length === 0) return Buffer.alloc(0);
  const writer = protobuf.Writer.create().uint32(0x0a).fork();
  writer.uint32(0x08).int64(rejected.length).uint32(0x12).string(summarize(words, rejected)).ldelim();
  return Buffer.from(writer.finish());
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

/** The first few distinct reasons with how many items each concerns and where the first one stands. */
function summarize({ item, items }: SignalWords, rejected: readonly Rejection[]): string {
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
    return count === 1 ? `${item} ${first}: ${text}` : `${count} ${items}, the first at ${first}: ${text}`;
  });
  if (others > 0) parts.push(`${others} ${items} for other reasons`);
  return parts.join("; ");
}
