/** What the bench and the process of its exporters say to each other. */

import type { BodiesOptions } from "./payload.ts";

export interface SendOptions {
  /** `/v1/traces` of OTLP/HTTP, or the server of OTLP/gRPC. */
  readonly url: string;
  /** HTTP where absent; gRPC takes bodies of protobuf. */
  readonly protocol?: "http" | "grpc";
  /** The first of the prepared bodies to send, and the one after the last. */
  readonly from: number;
  readonly to: number;
  /** Requests in flight at once, each on a connection of its own. */
  readonly exporters: number;
  /** Spans per second over all exporters; absent for as many as are taken. */
  readonly spansPerSecond?: number;
}

export type ToExporters =
  | { readonly kind: "prepare"; readonly bodies: BodiesOptions }
  | { readonly kind: "send"; readonly options: SendOptions };

export type FromExporters =
  | { readonly kind: "prepared"; readonly wireBytes: number }
  | { readonly kind: "sent"; readonly sent: Sent };

export interface Sent {
  readonly spans: number;
  /** By the clock that processes share, in microseconds. */
  readonly firstSentUs: number;
  readonly lastAckedUs: number;
  /** From the first try of a request to its 200, one per request. */
  readonly latenciesMs: readonly number[];
  /** Requests sent again: after a 429 or 503 and the time it named, or a lost connection. */
  readonly repeats: number;
  /** Of the exporters' whole process while they sent. */
  readonly cpuUs: number;
}
