/**
 * OTLP/gRPC (https://opentelemetry.io/docs/specs/otlp/#otlpgrpc): the same signals, limits and answers as OTLP/HTTP. The
 * messages stay bytes for the library, coded as they came: the signal inflates and decodes them.
 */

import { createServer, type Server as NetServer } from "node:net";
import {
  logVerbosity,
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptor,
  type ServerUnaryCall,
  type ServiceDefinition,
  type sendUnaryData,
  setLogVerbosity,
  status,
} from "@grpc/grpc-js";
import { type GrpcRequest, guardCall } from "./grpc-call.ts";
import { finalStatus, refusedStatus, retryStatus } from "./grpc-status.ts";
import { type SignalWords, successProtobuf } from "./otlp-answers.ts";
import type { Intake } from "./otlp-intake.ts";
import type { OtlpRequestEvent, OtlpSignal, ReceivedOutcome } from "./otlp-signal.ts";

export interface GrpcReceiverOptions {
  readonly signals: Readonly<Partial<Record<SignalWords["telemetry"], OtlpSignal>>>;
  readonly intake: Intake;
  readonly observe?: (event: OtlpRequestEvent) => void;
}

export interface GrpcReceiver {
  /** To be told where to listen. */
  readonly server: NetServer;
  /** Takes no more, answers what was begun, and after `graceMs` closes what is still open. */
  stop(graceMs: number): Promise<void>;
}

const collector = "opentelemetry.proto.collector";
const paths = {
  traces: `/${collector}.trace.v1.TraceService/Export`,
  metrics: `/${collector}.metrics.v1.MetricsService/Export`,
  logs: `/${collector}.logs.v1.LogsService/Export`,
} as const;

/** Exporters send one request at a time, collectors a few; more wait for their turn on the connection. */
const streamsPerConnectionMax = 100;
/** A connection that was silent so long is asked whether it still stands, and closed where no answer comes. */
const keepAliveMs = 60_000;
const keepAliveAnswerMs = 20_000;
/** A connection without a call for so long is closed; exporters open the next one by themselves. */
const idleMs = 15 * 60_000;

/** The receiver of OTLP/gRPC, not listening yet. */
export function createGrpcReceiver({ signals, intake, observe = () => {} }: GrpcReceiverOptions): GrpcReceiver {
  // The library would write what clients do wrong to standard error; answers and counters say it.
  setLogVerbosity(logVerbosity.NONE);
  const guard: ServerInterceptor = ({ path }, call) => {
    guardCall(call, intake, (event) => observe({ protocol: "grpc", telemetry: telemetryAt(path), ...event }));
    return new ServerInterceptingCall(call);
  };
  const grpc = new Server({
    "grpc.max_receive_message_length": intake.limits.bodyBytesMax,
    "grpc.max_concurrent_streams": streamsPerConnectionMax,
    "grpc.keepalive_time_ms": keepAliveMs,
    "grpc.keepalive_timeout_ms": keepAliveAnswerMs,
    "grpc.max_connection_idle_ms": idleMs,
    "grpc.enable_channelz": 0,
    interceptors: [guard],
  });
  for (const [telemetry, signal] of Object.entries(signals))
    grpc.addService(serviceAt(paths[telemetry as keyof typeof signals]), { export: exporterOf(signal, intake) });
  const taken = Object.keys(signals).join(" and ");
  grpc.addService(serviceAt(paths.logs), {
    export: (_call: unknown, answer: sendUnaryData<Buffer>) =>
      answer(finalStatus(status.UNIMPLEMENTED, `logs are not taken here, only ${taken}`)),
  });
  const injector = grpc.createConnectionInjector(ServerCredentials.createInsecure());
  const server = createServer((socket) => injector.injectConnection(socket));
  return {
    server,
    async stop(graceMs) {
      const closed = new Promise<void>((done) => server.close(() => done()));
      const force = setTimeout(() => grpc.forceShutdown(), graceMs);
      await new Promise<void>((done) => grpc.tryShutdown(() => done()));
      clearTimeout(force);
      await closed;
    },
  };
}

function telemetryAt(path: string): keyof typeof paths {
  if (path === paths.traces) return "traces";
  return path === paths.metrics ? "metrics" : "logs";
}

/** One unary method whose messages pass as they are. */
function serviceAt(path: string): ServiceDefinition {
  const asItIs = <Message>(message: Message) => message;
  const method = { path, requestStream: false, responseStream: false } as const;
  return {
    export: {
      ...method,
      requestSerialize: asItIs<Buffer>,
      requestDeserialize: asItIs<Buffer>,
      responseSerialize: asItIs<Buffer>,
      responseDeserialize: asItIs<Buffer>,
    },
  };
}

function exporterOf(signal: OtlpSignal, intake: Intake) {
  return function exportTelemetry(call: ServerUnaryCall<GrpcRequest, Buffer>, answer: sendUnaryData<Buffer>): void {
    const { request, metadata } = call;
    const producer = {
      address: call.getPeer().replace(/:\d+$/, ""),
      userAgent: String(metadata.get("user-agent")[0] ?? ""),
    };
    request
      .hold(async () => {
        const { outcome, ...counts } = await signal.receive(request.body, producer, request.lease);
        request.count(counts);
        answerWith(outcome, signal.words, answer);
      })
      .catch((error: unknown) => {
        intake.report(error);
        answer(finalStatus(status.INTERNAL, "the collector failed on this request"));
      });
  };
}

function answerWith(outcome: ReceivedOutcome, words: SignalWords, answer: sendUnaryData<Buffer>): void {
  if (outcome.kind === "accepted") answer(null, successProtobuf(words, outcome.rejected));
  else if (outcome.kind === "refused") answer(refusedStatus(outcome));
  else answer(retryStatus(outcome.message, outcome.retryAfterSeconds));
}
