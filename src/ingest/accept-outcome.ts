/** What becomes of a decoded export: the contract between the receivers and the spans log. */

import type { RejectedSpan } from "./decoded-export.ts";
import type { EncodedExport } from "./encoded-export.ts";

/**
 * `accepted`: every span of the export is durable, except those rejected; only then may the producer be answered 200.
 * `overloaded` (429) and `unavailable` (503): nothing was stored, and the producer shall send the same export again.
 */
export type AcceptOutcome =
  | {
      readonly kind: "accepted";
      /** Spans refused now, besides those in `EncodedExport.rejected`. */
      readonly rejected: readonly RejectedSpan[];
    }
  | { readonly kind: "overloaded"; readonly retryAfterSeconds: number }
  | { readonly kind: "unavailable"; readonly retryAfterSeconds: number; readonly message: string };

/** Who sent an export, as far as the transport knows. Both are claims, not identities. */
export interface Producer {
  /** IP address of the peer, "" where unknown. */
  readonly address: string;
  /** The User-Agent header, which OTLP exporters fill with their name and version; "" where absent. */
  readonly userAgent: string;
}

/**
 * Stores an export. Called once per request, also for one without spans. A rejected promise means that it is unknown
 * whether the spans are stored; the producer is told to retry.
 */
export type AcceptExport = (received: EncodedExport, producer: Producer) => Promise<AcceptOutcome>;
