/**
 * OTLP/HTTP for traces (https://opentelemetry.io/docs/specs/otlp/#otlphttp): one request in, one export handed on, one
 * answer out. Listening, paths and authentication belong to the server.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { AcceptExport, AcceptOutcome } from "../ingest/accept-outcome.ts";
import { type DecodeLimits, defaultDecodeLimits } from "../ingest/decoded-export.ts";
import type { EncodedExport } from "../ingest/encoded-export.ts";
import { type ContentCoding, contentCodingOf, supportedCodings } from "./inflate-body.ts";
import { type Answer, failureAnswer, type OtlpEncoding, retryAfter, successAnswer } from "./otlp-answers.ts";
import { type BodyRead, readBody } from "./otlp-body.ts";
import { type ByteLease, createInFlightBytes } from "./otlp-in-flight.ts";
import type { Prepared } from "./otlp-prepare.ts";
import type { Prepare } from "./otlp-preparer.ts";
import { sendAnswer } from "./otlp-send.ts";

/** One answered request, for counters. Its status is 499 where the client left before its body was complete. */
export interface OtlpRequestEvent {
  readonly kind: "request";
  readonly status: number;
  readonly spans: number;
  readonly otherSpans: number;
  readonly rejected: number;
  /** Bytes of the body as sent; 0 where it was not read to its end. */
  readonly wireBytes: number;
  /** Bytes handed to the decoder. */
  readonly inflatedBytes: number;
}

export interface OtlpHandlerOptions {
  readonly accept: AcceptExport;
  readonly prepare: Prepare;
  /** Those that hold before a body is prepared. */
  readonly limits?: DecodeLimits;
  /** Unix milliseconds: when a request had arrived. */
  readonly now?: () => number;
  /** Bytes of all requests held at once, as sent; beyond it requests are answered 429. By default 128 MiB. */
  readonly inFlightBytesMax?: number;
  /** Milliseconds a whole body may take to arrive; by default 30 s. */
  readonly bodyDeadlineMs?: number;
  readonly observe?: (event: OtlpRequestEvent) => void;
  /** Told of what should never happen: `accept` or `prepare` threw. The producer has been told to retry, or 500. */
  readonly report?: (error: unknown) => void;
}

interface Receiver extends Required<OtlpHandlerOptions> {
  readonly limits: DecodeLimits;
}

type Tally = { -readonly [K in Exclude<keyof OtlpRequestEvent, "kind" | "status">]: number };

/** What the headers promise. */
interface Announced {
  readonly encoding: OtlpEncoding;
  readonly coding: ContentCoding;
}

/**
 * The handler of `POST /v1/traces`; the caller routes the path. It answers every request that can still be answered, in
 * the encoding it came in, and 200 only after `accept` has resolved.
 * @throws RangeError when `inFlightBytesMax` is too small for one request of the largest size.
 */
export function createOtlpHandler(
  options: OtlpHandlerOptions,
): (request: IncomingMessage, response: ServerResponse) => void {
  const limits = options.limits ?? defaultDecodeLimits;
  const ignore = () => {};
  const inFlightBytesMax = 128 * 1024 * 1024;
  const defaults = { inFlightBytesMax, bodyDeadlineMs: 30_000, now: Date.now, observe: ignore, report: ignore };
  const receiver: Receiver = { ...defaults, ...options, limits };
  if (receiver.inFlightBytesMax < limits.bodyBytesMax)
    throw new RangeError(`inFlightBytesMax must be at least ${limits.bodyBytesMax}, the largest request`);
  const inFlight = createInFlightBytes(receiver.inFlightBytesMax);
  return function handleOtlp(request, response) {
    // A connection that breaks is seen by the reader of the body; without listeners it would end the process.
    request.on("error", ignore);
    response.on("error", ignore);
    const lease = inFlight.lease();
    const tally: Tally = { spans: 0, otherSpans: 0, rejected: 0, wireBytes: 0, inflatedBytes: 0 };
    answerTo(receiver, request, lease, tally)
      .catch((error: unknown) => {
        receiver.report(error);
        return failureAnswer(encodingOf(request) ?? "json", 500, "the collector failed on this request");
      })
      .then((answer) => {
        lease.release();
        if (answer !== undefined) sendAnswer(request, response, { answer, drainBytesMax: limits.bodyBytesMax });
        receiver.observe({ kind: "request", status: answer?.status ?? 499, ...tally });
      })
      .catch(receiver.report);
  };
}

/** The answer, or undefined where nobody waits for it. */
async function answerTo(
  receiver: Receiver,
  request: IncomingMessage,
  lease: ByteLease,
  tally: Tally,
): Promise<Answer | undefined> {
  const announced = readHeaders(request);
  if ("status" in announced) return announced;
  const { limits } = receiver;
  const { encoding, coding } = announced;
  const body = await readBody(request, {
    bytesMax: limits.bodyBytesMax,
    deadlineMs: receiver.bodyDeadlineMs,
    lease,
  });
  if (body.kind !== "body") return refuse(encoding, body);
  tally.wireBytes = body.bytes.length;
  const { bytes } = body;
  const prepared = await receiver.prepare({ bytes, encoding, coding, arrivedAtMs: receiver.now() });
  if (prepared.kind !== "overloaded") tally.inflatedBytes = prepared.inflatedBytes;
  if (prepared.kind !== "export") return refuse(encoding, refusalOf(prepared));
  tally.spans = prepared.encoded.spans;
  tally.otherSpans = prepared.encoded.otherSpans;
  tally.rejected = prepared.encoded.rejected.length;
  return handOn(receiver, request, prepared.encoded, { encoding, tally });
}

function refusalOf(prepared: Exclude<Prepared, { kind: "export" }>): Exclude<BodyRead, { kind: "body" }> {
  if (prepared.kind === "refused") return prepared;
  return { kind: "refused", status: 429, message: "too many requests wait to be decoded" };
}

function readHeaders(request: IncomingMessage): Announced | Answer {
  const encoding = encodingOf(request);
  if (request.method !== "POST")
    return failureAnswer(encoding ?? "json", 405, "traces are sent by POST", { allow: "POST" });
  if (encoding === undefined) {
    const message = "the content type must be application/x-protobuf or application/json";
    return failureAnswer("json", 415, message, { accept: "application/x-protobuf, application/json" });
  }
  const coding = contentCodingOf(request.headers["content-encoding"]);
  if (coding !== undefined) return { encoding, coding };
  const message = `the content encoding must be one of ${supportedCodings}`;
  return failureAnswer(encoding, 415, message, { "accept-encoding": supportedCodings });
}

/** The encoding the Content-Type header names, whatever its parameters. */
function encodingOf(request: IncomingMessage): OtlpEncoding | undefined {
  const mediaType = (request.headers["content-type"] ?? "").split(";", 1)[0]?.trim().toLowerCase();
  if (mediaType === "application/x-protobuf") return "protobuf";
  return mediaType === "application/json" ? "json" : undefined;
}

function refuse(encoding: OtlpEncoding, read: Exclude<BodyRead, { kind: "body" }>): Answer | undefined {
  if (read.kind === "gone") return undefined;
  return failureAnswer(encoding, read.status, read.message, read.status === 429 ? retryAfter(1) : {});
}

async function handOn(
  receiver: Receiver,
  request: IncomingMessage,
  encoded: EncodedExport,
  { encoding, tally }: { readonly encoding: OtlpEncoding; readonly tally: Tally },
): Promise<Answer> {
  const address = request.socket.remoteAddress ?? "";
  const producer = { address, userAgent: request.headers["user-agent"] ?? "" };
  let outcome: AcceptOutcome;
  try {
    outcome = await receiver.accept(encoded, producer);
  } catch (error) {
    receiver.report(error);
    // Whether the spans are stored is unknown: a repeat is found by its ids, a loss by nobody.
    outcome = { kind: "unavailable", retryAfterSeconds: 5, message: "the collector failed to store the spans" };
  }
  switch (outcome.kind) {
    case "accepted":
      tally.rejected += outcome.rejected.length;
      return successAnswer(encoding, [...encoded.rejected, ...outcome.rejected]);
    case "overloaded": {
      const message = "the collector is overloaded; send the same spans again later";
      return failureAnswer(encoding, 429, message, retryAfter(outcome.retryAfterSeconds));
    }
    case "unavailable":
      return failureAnswer(encoding, 503, outcome.message, retryAfter(outcome.retryAfterSeconds));
  }
}
