/**
 * OTLP/HTTP (https://opentelemetry.io/docs/specs/otlp/#otlphttp): one request in, one export handed on, one answer out.
 * Listening, paths and authentication belong to the server.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import { type ContentCoding, contentCodingOf, supportedCodings } from "./inflate-body.ts";
import {
  type Answer,
  failureAnswer,
  type OtlpEncoding,
  retryAfter,
  type SignalWords,
  successAnswer,
} from "./otlp-answers.ts";
import { type Refused, readBody } from "./otlp-body.ts";
import type { ByteLease } from "./otlp-in-flight.ts";
import type { Intake } from "./otlp-intake.ts";
import { sendAnswer } from "./otlp-send.ts";
import { nothingReceived, type OtlpRequestEvent, type OtlpSignal, type ReceivedOutcome } from "./otlp-signal.ts";

export interface OtlpHandlerOptions {
  readonly signal: OtlpSignal;
  readonly intake: Intake;
  readonly observe?: (event: OtlpRequestEvent) => void;
}

type Tally = { -readonly [K in keyof typeof nothingReceived]: number };

/** What the headers promise. */
interface Announced {
  readonly encoding: OtlpEncoding;
  readonly coding: ContentCoding;
}

/**
 * The handler of one signal's path; the caller routes to it. It answers every request that can still be answered, in the
 * encoding it came in, and 200 only after the signal was accepted.
 */
export function createOtlpHandler(
  options: OtlpHandlerOptions,
): (request: IncomingMessage, response: ServerResponse) => void {
  const { signal, intake, observe = () => {} } = options;
  const { telemetry } = signal.words;
  const ignore = () => {};
  return function handleOtlp(request, response) {
    // A connection that breaks is seen by the reader of the body; without listeners it would end the process.
    request.on("error", ignore);
    response.on("error", ignore);
    const lease = intake.inFlight.lease();
    const tally: Tally = { ...nothingReceived };
    answerTo({ signal, intake, lease, tally }, request)
      .catch((error: unknown) => {
        intake.report(error);
        return failureAnswer(encodingOf(request) ?? "json", 500, "the collector failed on this request");
      })
      .then((answer) => {
        lease.release();
        if (answer !== undefined) sendAnswer(request, response, { answer, drainBytesMax: intake.limits.bodyBytesMax });
        observe({ protocol: "http", telemetry, status: answer?.status ?? 499, ...tally });
      })
      .catch(intake.report);
  };
}

interface Reception {
  readonly signal: OtlpSignal;
  readonly intake: Intake;
  readonly lease: ByteLease;
  readonly tally: Tally;
}

/** The answer, or undefined where nobody waits for it. */
async function answerTo(reception: Reception, request: IncomingMessage): Promise<Answer | undefined> {
  const { signal, intake, lease, tally } = reception;
  const announced = readHeaders(request, signal.words);
  if ("status" in announced) return announced;
  const { limits, bodyDeadlineMs } = intake;
  const { encoding, coding } = announced;
  const body = await readBody(request, { bytesMax: limits.bodyBytesMax, deadlineMs: bodyDeadlineMs, lease });
  if (body.kind === "gone") return undefined;
  if (body.kind === "refused") return refuse(encoding, body);
  const { bytes } = body;
  tally.wireBytes = bytes.length;
  const address = request.socket.remoteAddress ?? "";
  const producer = { address, userAgent: request.headers["user-agent"] ?? "" };
  const { outcome, ...counts } = await signal.receive({ bytes, coding, encoding }, producer, lease);
  Object.assign(tally, counts);
  return answerOf(outcome, encoding, signal.words);
}

function readHeaders(request: IncomingMessage, { telemetry }: SignalWords): Announced | Answer {
  const encoding = encodingOf(request);
  if (request.method !== "POST")
    return failureAnswer(encoding ?? "json", 405, `${telemetry} are sent by POST`, { allow: "POST" });
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

function refuse(encoding: OtlpEncoding, { status, message }: Refused): Answer {
  return failureAnswer(encoding, status, message, status === 429 ? retryAfter(1) : {});
}

function answerOf(outcome: ReceivedOutcome, encoding: OtlpEncoding, words: SignalWords): Answer {
  switch (outcome.kind) {
    case "accepted":
      return successAnswer(encoding, words, outcome.rejected);
    case "refused":
      return refuse(encoding, outcome);
    case "overloaded":
      return failureAnswer(encoding, 429, outcome.message, retryAfter(outcome.retryAfterSeconds));
    case "unavailable":
      return failureAnswer(encoding, 503, outcome.message, retryAfter(outcome.retryAfterSeconds));
  }
}
