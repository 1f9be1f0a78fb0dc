/** Keeps the alert book durable and tells every channel what it does not know yet, until it does. */

import { type Channel, PermanentChannelError } from "../channels/channel.ts";
import type { Marks } from "../event-log/usage-log.ts";
import type { Alert, Finding } from "../model/finding.ts";
import { AlertBook, type AlertBookState } from "./alert-book.ts";
import { CauseQueue } from "./cause-queue.ts";
import { findCause, type StoredSpend } from "./find-cause.ts";

export interface AlerterOptions {
  /** Where its book is kept. */
  readonly marks: Marks;
  readonly channels: readonly Channel[];
  /** Where causes are looked for. */
  readonly store: StoredSpend;
  /** Told of each delivery, and of each failure with the delay before the next try; null when it is given up. */
  readonly observe: (event: DeliveryEvent) => void;
}

export type DeliveryEvent =
  | { readonly kind: "delivered"; readonly channel: string; readonly alert: Alert }
  | {
      readonly kind: "failed";
      readonly channel: string;
      readonly alert: Alert;
      readonly error: Error;
      readonly retryInMs: number | null;
    };

/** What its book is kept under. */
export const alertsMark = "alerts";
const retryMinMs = 1000;
const retryMaxMs = 5 * 60_000;
/** A page waits so long for its cause: asking takes a fifth of it on a quiet machine. */
const causePatienceMs = 1000;

export class Alerter {
  readonly #options: AlerterOptions;
  readonly #book: AlertBook;
  readonly #causes: CauseQueue;
  readonly #stopping = new AbortController();
  readonly #wake = new Map<string, () => void>();
  #running: Promise<unknown> | undefined;

  constructor(options: AlerterOptions) {
    this.#options = options;
    this.#book = new AlertBook(options.marks.mark(alertsMark) as AlertBookState | undefined);
    this.#causes = new CauseQueue({
      find: (question) => findCause(question, options.store),
      found: (alert, cause) => {
        this.#book.explain(alert, cause);
        this.#wakeAll();
        // A book that cannot be kept is heard of when the next finding or delivery is.
        this.#save().catch(() => undefined);
      },
      patienceMs: causePatienceMs,
    });
  }

  /** Begins to deliver, first what was still owed when the last process ended; `failed` rejects when its book cannot be kept. */
  start(): { failed: Promise<unknown> } {
    this.#causes.ask(this.#book.unexplained());
    this.#running = Promise.all(this.#options.channels.map((channel) => this.#deliver(channel)));
    return { failed: this.#running };
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#causes.stop();
    this.#wakeAll();
    await this.#running;
  }

  /** Takes the findings of one log entry; resolves once they are durable. Telling it again changes nothing. */
  async report(findings: readonly Finding[], offset: number): Promise<void> {
    if (!this.#book.apply(findings, offset)) return;
    this.#causes.ask(this.#book.unexplained());
    await this.#save();
    this.#wakeAll();
  }

  /**
   * Takes findings that were told long ago, for a book that is made again: `report` goes on after them. What is over by then
   * is not told again; what is not is told once more, since nobody knows whom it reached.
   */
  recall(findings: readonly Finding[], offset: number): void {
    if (!this.#book.apply(findings, offset) || findings.length === 0) return;
    for (const { name } of this.#options.channels)
      for (const alert of this.#book.untold(name)) if (alert.status === "resolved") this.#book.told(name, alert);
  }

  alerts(): readonly Alert[] {
    return this.#book.alerts();
  }

  #wakeAll(): void {
    for (const wake of this.#wake.values()) wake();
  }

  async #save(): Promise<void> {
    await this.#options.marks.saveMark(alertsMark, this.#book.state());
  }

  async #deliver(channel: Channel): Promise<void> {
    let retryMs = retryMinMs;
    while (!this.#stopping.signal.aborted) {
      const alert = this.#book.untold(channel.name).find((each) => !this.#causes.isAwaited(each));
      if (alert === undefined) {
        await this.#sleep(channel.name, null);
        continue;
      }
      const failure = await attempt(channel, alert);
      if (failure === null || failure instanceof PermanentChannelError) {
        this.#book.told(channel.name, alert);
        await this.#save();
        retryMs = retryMinMs;
      }
      this.#observe(channel, alert, failure, retryMs);
      if (failure !== null && !(failure instanceof PermanentChannelError)) {
        await this.#sleep(channel.name, retryMs);
        retryMs = Math.min(retryMs * 2, retryMaxMs);
      }
    }
  }

  #observe(channel: Channel, alert: Alert, error: Error | null, retryMs: number): void {
    if (error === null) {
      this.#options.observe({ kind: "delivered", channel: channel.name, alert });
      return;
    }
    const retryInMs = error instanceof PermanentChannelError ? null : retryMs;
    this.#options.observe({ kind: "failed", channel: channel.name, alert, error, retryInMs });
  }

  /** Until something new is in the book, or the time is over. */
  #sleep(channel: string, milliseconds: number | null): Promise<void> {
    if (this.#stopping.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = milliseconds === null ? undefined : setTimeout(resolve, milliseconds);
      this.#wake.set(channel, () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}

async function attempt(channel: Channel, alert: Alert): Promise<Error | null> {
  try {
    await channel.notify(alert);
    return null;
  } catch (error) {
    return error as Error;
  }
}
