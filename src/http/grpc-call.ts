/**
 * One gRPC call within the limits of the intake. By itself grpc-js (1.14) buffers a message before anyone may refuse it,
 * inflates it chunk by chunk under the limit of the wire, and says nobody what it answered. So this file, and no other,
 * reaches behind its types: it watches the bytes of the stream, and hands messages on as they came, for the signal to inflate.
 */

import type { ServerHttp2Stream } from "node:http2";
import { type ServerInterceptingCallInterface, type StatusObject, status } from "@grpc/grpc-js";
import { finalStatus, refusedStatus } from "./grpc-status.ts";
import { contentCodingOf, supportedCodings } from "./inflate-body.ts";
import type { ByteLease } from "./otlp-in-flight.ts";
import type { Intake } from "./otlp-intake.ts";
import { nothingReceived, type OtlpRequestEvent, type WireBody } from "./otlp-signal.ts";

/** What the library hands to a method's handler as its message. */
export interface GrpcRequest {
  readonly body: WireBody;
  /** The call's share of the memory of all. */
  readonly lease: ByteLease;
  /** Runs the handler's work; the request's memory is counted until it ends, also where the client has left. */
  hold<Result>(work: () => Promise<Result>): Promise<Result>;
  /** Takes note of what the request held. */
  count(counts: Partial<typeof nothingReceived>): void;
}

/** The library's call as it is at run time. Tests of the limits fail where a new version differs. */
interface RawCall {
  readonly stream: ServerHttp2Stream;
  sendStatus(answer: Partial<StatusObject>): void;
  /** Given the message with its head of five bytes, and the coding if the head says it is coded. */
  decompressMessage: (framed: Buffer, encoding: string) => Promise<GrpcRequest>;
}

const frameHeadBytes = 5;
/** How long a client may go on sending after its answer. */
const lingerMs = 2000;
const crowded = { kind: "refused", status: 429, message: "too many bytes of other requests are in flight" } as const;

/** Guards a call before the library reads from it; `observe` is told once, when the call is over. */
export function guardCall(
  call: ServerInterceptingCallInterface,
  intake: Intake,
  observe: (event: Omit<OtlpRequestEvent, "protocol" | "telemetry">) => void,
): void {
  const raw = call as unknown as RawCall;
  const { stream } = raw;
  const lease = intake.inFlight.lease();
  const tally = { ...nothingReceived };
  let answered: number | undefined;
  let working = false;

  const late = `the message did not arrive within ${intake.bodyDeadlineMs / 1000} s`;
  const deadline = setTimeout(() => {
    raw.sendStatus(refusedStatus({ kind: "refused", status: 408, message: late }));
  }, intake.bodyDeadlineMs);
  const releaseWhenIdle = () => {
    if (!working && (answered !== undefined || stream.closed || stream.destroyed)) lease.release();
  };
  const hold = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    clearTimeout(deadline);
    working = true;
    try {
      return await work();
    } finally {
      working = false;
      releaseWhenIdle();
    }
  };

  const sendStatus = raw.sendStatus.bind(raw);
  raw.sendStatus = (answer) => {
    clearTimeout(deadline);
    if (answered === undefined) setTimeout(() => stream.close(), lingerMs).unref();
    answered ??= answer.code ?? status.UNKNOWN;
    sendStatus(answer);
    releaseWhenIdle();
  };
  stream.on("data", (chunk: Buffer) => {
    if (answered === undefined && !lease.take(chunk.length)) raw.sendStatus(refusedStatus(crowded));
  });
  raw.decompressMessage = async (framed, encoding) => {
    tally.wireBytes = framed.length - frameHeadBytes;
    const coding = contentCodingOf(encoding);
    if (coding === undefined) throw unknownCoding(encoding);
    return {
      body: { bytes: framed.subarray(frameHeadBytes), coding, encoding: "protobuf" },
      lease,
      hold,
      count: (counts) => void Object.assign(tally, counts),
    };
  };
  stream.once("close", () => {
    clearTimeout(deadline);
    releaseWhenIdle();
    observe({ status: answered ?? status.CANCELLED, ...tally });
  });
}

/** As gRPC's compression specification has it: the codings that would be understood stand in a header. */
function unknownCoding(encoding: string): StatusObject {
  const answer = finalStatus(status.UNIMPLEMENTED, `the encoding ${encoding} is not one of ${supportedCodings}`);
  answer.metadata.set("grpc-accept-encoding", supportedCodings.replaceAll(" ", ""));
  return answer;
}
