/** Takes one export into the spans log. What it answers is what the exporter may rely on: 200 means on disk. */

import type { EventLog } from "../event-log/event-log.ts";
import type { AcceptOutcome } from "./accept-outcome.ts";
import type { EncodedExport } from "./encoded-export.ts";

export interface AcceptorOptions {
  readonly log: EventLog;
  /** Spans accepted and not yet resolved, beyond which the answer is 429. */
  readonly backlogSpansMax: number;
}

export class Acceptor {
  readonly #options: AcceptorOptions;
  #backlogSpans = 0;

  constructor(options: AcceptorOptions) {
    this.#options = options;
  }

  async accept({ payload, spans }: EncodedExport): Promise<AcceptOutcome> {
    if (payload === null) return { kind: "accepted", rejected: [] };
    const { log, backlogSpansMax } = this.#options;
    if (this.#backlogSpans + spans > backlogSpansMax && this.#backlogSpans > 0) {
      return { kind: "overloaded", retryAfterSeconds: 1 };
    }
    this.#backlogSpans += spans;
    try {
      await log.append(payload);
    } catch (error) {
      this.#backlogSpans -= spans;
      return { kind: "unavailable", retryAfterSeconds: 5, message: `spans log: ${(error as Error).message}` };
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
