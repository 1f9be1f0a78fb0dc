/** One kind of telemetry as the OTLP faces see it: a request's bytes in, an outcome out, whatever carried them. */

import type { Producer } from "../ingest/accept-outcome.ts";
import type { OtlpEncoding, Rejection, SignalWords } from "./otlp-answers.ts";

/** `malformed` is never sent again by a conforming exporter; after `overloaded` and `unavailable` the same request comes again. */
export type ReceivedOutcome =
  | { readonly kind: "accepted"; readonly rejected: readonly Rejection[] }
  | { readonly kind: "malformed"; readonly message: string }
  | {
      readonly kind: "overloaded" | "unavailable";
      readonly retryAfterSeconds: number;
      readonly message: string;
    };

/** What one request held, for counters. */
export interface ItemCounts {
  /** Items that are kept: LLM spans, points of known metrics. */
  readonly kept: number;
  /** Sound items that nobody keeps. */
  readonly other: number;
  readonly rejected: number;
}

export interface Received extends ItemCounts {
  readonly outcome: ReceivedOutcome;
}

export interface OtlpSignal {
  readonly words: SignalWords;
  /** Decodes inflated bytes and hands them on. Resolves for whatever the producer sent; rejects only for a fault of ours. */
  receive(bytes: Buffer, encoding: OtlpEncoding, producer: Producer): Promise<Received>;
}

/** One answered request, for counters. */
export interface OtlpRequestEvent extends ItemCounts {
  readonly protocol: "http" | "grpc";
  readonly telemetry: SignalWords["telemetry"] | "logs";
  /** HTTP status, 499 where the client left first; or gRPC status, 1 (CANCELLED) where the client left first. */
  readonly status: number;
  /** Bytes of the body as sent; 0 where it was not read to its end. */
  readonly wireBytes: number;
  /** Bytes handed to the decoder. */
  readonly inflatedBytes: number;
}

/** What an event says before anything is known. */
export const nothingReceived = { kept: 0, other: 0, rejected: 0, wireBytes: 0, inflatedBytes: 0 };
