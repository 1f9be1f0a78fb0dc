/** One kind of telemetry as the OTLP faces see it: a request's bytes in, an outcome out, whatever carried them. */

import type { Producer } from "../ingest/accept-outcome.ts";
import type { ContentCoding } from "./inflate-body.ts";
import type { OtlpEncoding, Rejection, SignalWords } from "./otlp-answers.ts";
import type { Refused } from "./otlp-body.ts";
import type { ByteLease } from "./otlp-in-flight.ts";

/** A whole body as it arrived: still coded. */
export interface WireBody {
  readonly bytes: Buffer;
  readonly coding: ContentCoding;
  readonly encoding: OtlpEncoding;
}

/** After `overloaded`, `unavailable` and a refusal with 429 a conforming exporter sends the same request again. */
export type ReceivedOutcome =
  | { readonly kind: "accepted"; readonly rejected: readonly Rejection[] }
  | Refused
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
  /** Bytes handed to the decoder; 0 where the body could not be inflated. */
  readonly inflatedBytes: number;
  readonly outcome: ReceivedOutcome;
}

export interface OtlpSignal {
  readonly words: SignalWords;
  /**
   * Inflates and decodes a body, and hands it on; the body's bytes may be given away. What is held besides them on this
   * thread is taken from `lease`. Resolves for whatever the producer sent; rejects only for a fault of ours.
   */
  receive(body: WireBody, producer: Producer, lease: ByteLease): Promise<Received>;
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
