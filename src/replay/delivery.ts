/** Hands ended spans to an exporter in batches, a few at once, and gives none up: the SDK's own batch processor drops what it cannot hold. */

import type { ReadableSpan, SpanExporter, SpanProcessor } from "@opentelemetry/sdk-trace";
import { ReplayError } from "./replay-error.ts";

export interface DeliveryOptions {
  readonly exporter: SpanExporter;
  /** What is exported to, for messages. */
  readonly destination: string;
  /** Called with the number of spans that the destination has just acknowledged. */
  readonly onDelivered: (spans: number) => void;
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  /** How long nothing at all may be acknowledged before a failed batch is given up. */
  readonly giveUpMs?: number;
}

const batchSpansMax = 512;
const batchesInFlightMax = 4;
const retryPauseMs = 250;
const giveUpMsDefault = 120_000;

/**
 * A span processor whose caller waits: after a span has ended, `room()` says whether to wait, and for what, before the next.
 * A batch is exported again until it is acknowledged, which is safe since ids identify records. What cannot be retried (HTTP 400, 413)
 * ends it: `room` and `forceFlush` throw from then on.
 */
export class Delivery implements SpanProcessor {
  readonly #options: DeliveryOptions;
  #batch: ReadableSpan[] = [];
  readonly #inFlight = new Set<Promise<void>>();
  #failure: ReplayError | undefined;
  #lastAckMs: number;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#lastAckMs = options.now();
  }

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    this.#batch.push(span);
  }

  /** Undefined where the next span may follow at once. */
  room(): Promise<void> | undefined {
    return this.#batch.length < batchSpansMax ? undefined : this.dispatch();
  }

  /** Starts to export the spans that have ended so far, as soon as fewer than the maximum of batches are in flight. */
  async dispatch(): Promise<void> {
    while (this.#inFlight.size >= batchesInFlightMax) await Promise.race(this.#inFlight);
    if (this.#failure !== undefined) throw this.#failure;
    const batch = this.#batch;
    if (batch.length === 0) return;
    this.#batch = [];
    const delivering = this.#deliver(batch).finally(() => this.#inFlight.delete(delivering));
    this.#inFlight.add(delivering);
  }

  async forceFlush(): Promise<void> {
    await this.dispatch();
    await Promise.all(this.#inFlight);
    if (this.#failure !== undefined) throw this.#failure;
  }

  async shutdown(): Promise<void> {
    await Promise.all(this.#inFlight);
    await this.#options.exporter.shutdown();
  }

  async #deliver(batch: ReadableSpan[]): Promise<void> {
    const { now, sleep, destination, giveUpMs = giveUpMsDefault } = this.#options;
    while (this.#failure === undefined) {
      const error = await this.#export(batch);
      if (error === undefined) {
        this.#lastAckMs = now();
        this.#options.onDelivered(batch.length);
        return;
      }
      const status = httpStatus(error);
      if (status !== undefined) {
        this.#failure ??= new ReplayError(`${destination} refused a batch of spans: HTTP ${status} ${error.message}`, {
          cause: error,
        });
      } else if (now() - this.#lastAckMs > giveUpMs) {
        const seconds = Math.round((now() - this.#lastAckMs) / 1000);
        this.#failure ??= new ReplayError(
          `${destination} has acknowledged nothing for ${seconds} s: ${error.message}`,
          {
            hint: "when it is back, run the same command again: what has arrived is not counted twice",
            cause: error,
          },
        );
      } else {
        await sleep(retryPauseMs);
      }
    }
  }

  #export(batch: ReadableSpan[]): Promise<Error | undefined> {
    return new Promise((resolve) => {
      this.#options.exporter.export(batch, (result) => {
        // The code 0 is SUCCESS; the enumeration lives in a package that we do not otherwise need.
        resolve(result.code === 0 ? undefined : (result.error ?? new Error("the exporter gave no reason")));
      });
    });
  }
}

/** The status of an answer that must not be retried: the exporter reports retryable ones (429, 502, 503, 504) without a number. */
function httpStatus(error: Error): number | undefined {
  return "code" in error && typeof error.code === "number" ? error.code : undefined;
}
