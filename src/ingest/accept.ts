/** Takes one export into the spans log. What it answers is what the exporter may rely on: 200 means on disk. */

import { type DiskSpace, NoRoomError } from "../event-log/disk-space.ts";
import type { EventLog } from "../event-log/event-log.ts";
import { KafkaUnavailable } from "../event-log/kafka-client.ts";
import type { PartitionEntry } from "../event-log/usage-log.ts";
import type { AcceptOutcome } from "./accept-outcome.ts";
import type { EncodedExport } from "./encoded-export.ts";

/** Takes entries of the spans log; resolves when every one of them would survive a loss of power. */
export type AppendSpans = (entries: readonly PartitionEntry[]) => Promise<unknown>;

export interface AcceptorOptions {
  readonly append: AppendSpans;
  readonly space: DiskSpace;
  /** Spans accepted and not yet resolved, beyond which the answer is 429. */
  readonly backlogSpansMax: number;
}

/** Into a log of one machine. */
export function appendsTo(log: Pick<EventLog, "append">): AppendSpans {
  return (entries) => Promise.all(entries.map(({ payload }) => log.append(payload)));
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

  async accept({ entries, spans }: EncodedExport): Promise<AcceptOutcome> {
    if (entries.length === 0) return { kind: "accepted", rejected: [] };
    const { append, space, backlogSpansMax } = this.#options;
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
      await append(entries);
    } catch (error) {
      this.#backlogSpans -= spans;
      if (!(error instanceof NoRoomError || error instanceof KafkaUnavailable)) this.#broken.reject(error);
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
