/** What the OTLP faces share: limits of one request, and one budget of memory for all requests they hold at once. */

import { type DecodeLimits, defaultDecodeLimits } from "../ingest/decoded-export.ts";
import { createInFlightBytes, type InFlightBytes } from "./otlp-in-flight.ts";

export interface Intake {
  readonly limits: DecodeLimits;
  readonly inFlight: InFlightBytes;
  readonly bodyDeadlineMs: number;
  readonly report: (error: unknown) => void;
}

export interface IntakeOptions {
  readonly limits?: DecodeLimits;
  /**
   * Bytes of all requests held at once, as sent, and of what is inflated on this thread (metrics; large bodies of traces are
   * inflated in threads, one at a time in each); beyond it requests are told to come again. By default 128 MiB.
   */
  readonly inFlightBytesMax?: number;
  /** Milliseconds a whole body may take to arrive; by default 30 s. */
  readonly bodyDeadlineMs?: number;
  /** Told of what should never happen. The producer has been told to retry, or that the fault is ours. */
  readonly report?: (error: unknown) => void;
}

/** @throws RangeError when `inFlightBytesMax` is too small for one request of the largest size. */
export function createIntake(options: IntakeOptions = {}): Intake {
  const { limits = defaultDecodeLimits, inFlightBytesMax = 128 * 1024 * 1024, bodyDeadlineMs = 30_000 } = options;
  const least = limits.bodyBytesMax + limits.inflatedBytesMax;
  if (inFlightBytesMax < least)
    throw new RangeError(`inFlightBytesMax must be at least ${least}, the largest request with its inflated form`);
  const inFlight = createInFlightBytes(inFlightBytesMax);
  return { limits, inFlight, bodyDeadlineMs, report: options.report ?? (() => {}) };
}
