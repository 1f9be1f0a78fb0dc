/** Takes one decoded export into the spans log. What it answers is what the exporter may rely on: 200 means on disk. */

import { type DiskSpace, NoRoomError } from "../event-log/disk-space.ts";
import type { EventLog } from "../event-log/event-log.ts";
import type { Span } from "../model/span.ts";
import type { AcceptOutcome } from "./accept-outcome.ts";
import type { DecodedExport, RejectedSpan } from "./decoded-export.ts";
import type { FreshEntries } from "./fresh-entries.ts";
import { encodeEntry, type SpansEntry } from "./log-codec.ts";

export interface AcceptorOptions {
  readonly log: EventLog;
  readonly fresh: FreshEntries<SpansEntry>;
  readonly space: DiskSpace;
  /** Spans accepted and not yet resolved, beyond which the answer is 429. */
  readonly backlogSpansMax: number;
  /** Spans that began longer ago than this cannot be told from repeats: their rows are gone. */
  readonly oldestMs: number;
  readonly now: () => number;
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

  async accept(decoded: DecodedExport): Promise<AcceptOutcome> {
    const { log, fresh, space, backlogSpansMax, now } = this.#options;
    const arrivedAtMs = now();
    const tooOld: RejectedSpan[] = [];
    const spans = decoded.spans.filter((span, index) => {
      const reason = this.#tooOld(span, arrivedAtMs);
      if (reason !== undefined) tooOld.push({ index, reason });
      return reason === undefined;
    });
    if (spans.length === 0) return { kind: "accepted", rejected: tooOld };
    if (this.#backlogSpans + spans.length > backlogSpansMax && this.#backlogSpans > 0) {
      return { kind: "overloaded", retryAfterSeconds: 1 };
    }
    const shortage = space.shortage();
    if (shortage !== null) {
      const message = `${shortage}; free some, and spans are taken again without a restart`;
      return { kind: "unavailable", retryAfterSeconds: shortageSeconds, message };
    }
    const entry: SpansEntry = { version: 1, arrivedAtMs, spans };
    this.#backlogSpans += spans.length;
    try {
      const offset = await log.append(encodeEntry(entry));
      fresh.put(offset, entry);
    } catch (error) {
      this.#backlogSpans -= spans.length;
      if (!(error instanceof NoRoomError)) this.#broken.reject(error);
      return { kind: "unavailable", retryAfterSeconds: 5, message: (error as Error).message };
    }
    return { kind: "accepted", rejected: tooOld };
  }

  /** The resolver says how many of the accepted spans it has taken. */
  resolved(spans: number): void {
    this.#backlogSpans = Math.max(0, this.#backlogSpans - spans);
  }

  backlogSpans(): number {
    return this.#backlogSpans;
  }

  #tooOld(span: Span, arrivedAtMs: number): string | undefined {
    const startMs = span.startUs / 1000;
    if (startMs === 0 || startMs >= arrivedAtMs - this.#options.oldestMs) return undefined;
    const days = Math.round(this.#options.oldestMs / 86_400_000);
    return `began ${new Date(startMs).toISOString()}, before the ${days} days that raw records are kept: check the producer's clock, or raise store.raw_retention_days`;
  }
}
