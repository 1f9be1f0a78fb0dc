/** Takes one export into the spans log. What it answers is what the exporter may rely on: 200 means on disk. */

import { type DiskSpace, NoRoomError } from "../event-log/disk-space.ts";
import type { EventLog } from "../event-log/event-log.ts";
import type { AcceptOutcome } from "./accept-outcome.ts";
import type { EncodedExport } from "./encoded-export.ts";

export interface AcceptorOptions {
  readonly log: EventLog;
  readonly space: DiskSpace;
  /** Spans accepted and not yet resolved, beyond which the answer is 429. */
  readonly backlogSpansMax: number;
}

/** Space comes back by hand: there is no hurry. */
const shortageSeconds = 10;

export class Acceptor {
  readonly #options: AcceptorOptions;
  readonly #broken = Promise.withResolvers<never>();
  #backlogSpans = 0;

  constructor(options: AcceptorOptions) {
    this.#options = options;
    this.#broken.promise.catch(() => undefined);
  }

  /** Rejects when the log can no longer be written. */
  get failed(): Promise<never> {
    return this.#broken.promise;
  }

  async accept({ payload, spans }: EncodedExport): Promise<AcceptOutcome> {
    if (payload === null) return { kind: "accepted", rejected: [] };
    const { log, space, backlogSpansMax } = this.#options;
    if (this.#backlogSpans + spans > backlogSpansMax && this.#backlogSpans > 0) {
      return { kind: "overloaded", retryAfterSeconds: 1 };
    }
    const shortage = space.shortage();
    if (shortage !== null) {
      const message = `${shortage}; free some, and spans are taken again without a restart`;
      return { kind: "unavailable", retryAfterSeconds: shortageSeconds, message };
    }
    this.#backlogSpans += spans;
    try {
      await log.append(payload);
    } catch (error) {
      this.#backlogSpans -= spans;
      if (!(error instanceof NoRoomError)) this.#broken.reject(error);
      return { kind: "unavailable", retryAfterSeconds: 5, message: (error as Error).message };
    }
    return { kind: "accepted", rejected: [] };
  }

  /** The resolver says how many of the accepted spans it has taken. */
  resolved(spans: number): void {
    this.#backlogSpans = Math.max(0, this.#backlogSpans - spans);
  }

  backlogSpans(): number {
    return this.#backlogSpans;
  }
}
