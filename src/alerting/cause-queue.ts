/**
 * Causes are looked for one after the other, beside the deliveries: a notification waits for its own for a moment and then
 * goes out without it, and says so.
 */

import type { Alert } from "../model/finding.ts";
import { type Cause, type CauseQuestion, unknownCause } from "./find-cause.ts";

export interface CauseQueueOptions {
  /** Never rejects. */
  readonly find: (question: CauseQuestion) => Promise<Cause>;
  /** Told of each cause, and of each that was not found while anybody waited. */
  readonly found: (alert: Alert, cause: Cause) => void;
  /** How long a notification waits. */
  readonly patienceMs: number;
}

interface Asked {
  readonly question: CauseQuestion;
  readonly impatience: NodeJS.Timeout;
  isAwaited: boolean;
}

/** Beyond it incidents are told without a cause; each asks again when the detector speaks of it again. */
const askedMax = 100;

export class CauseQueue {
  readonly #options: CauseQueueOptions;
  /** By fingerprint, the oldest first. */
  readonly #asked = new Map<string, Asked>();
  #running = false;
  #stopped = false;

  constructor(options: CauseQueueOptions) {
    this.#options = options;
  }

  /** Asks what is not asked yet. */
  ask(questions: readonly CauseQuestion[]): void {
    const { found, patienceMs } = this.#options;
    for (const question of questions) {
      const { alert } = question;
      if (this.#stopped || this.#asked.has(alert.fingerprint)) continue;
      if (this.#asked.size >= askedMax) {
        found(alert, unknownCause(question, `more than ${askedMax} incidents wait for theirs`));
        continue;
      }
      const asked: Asked = {
        question,
        isAwaited: true,
        impatience: setTimeout(() => {
          asked.isAwaited = false;
          found(alert, unknownCause(question, `the store had not answered after ${patienceMs / 1000} s`));
        }, patienceMs),
      };
      this.#asked.set(alert.fingerprint, asked);
    }
    if (!this.#running) void this.#run();
  }

  /** Whether a notification about this alert should wait. */
  isAwaited({ fingerprint }: Alert): boolean {
    return this.#asked.get(fingerprint)?.isAwaited ?? false;
  }

  /** Asks nothing more, and nobody waits any longer. */
  stop(): void {
    this.#stopped = true;
    for (const { impatience } of this.#asked.values()) clearTimeout(impatience);
    this.#asked.clear();
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (;;) {
      const [next] = this.#asked;
      if (next === undefined) break;
      const [id, { question, impatience }] = next;
      const cause = await this.#options.find(question);
      clearTimeout(impatience);
      this.#asked.delete(id);
      if (!this.#stopped) this.#options.found(question.alert, cause);
    }
    this.#running = false;
  }
}
