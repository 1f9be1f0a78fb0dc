/**
 * Readers of a topic's partitions that catch up go side by side, by the time of what they read. After hours of standing
 * still some have more to do than others, and whoever joins what they tell would see the one's noon beside the other's
 * morning. Whoever keeps up waits for nobody, and nobody waits long for one that does not move.
 */

import { setTimeout } from "node:timers/promises";

export interface PaceOptions {
  /** When what each of the others told last had arrived, by partition. */
  readonly others: () => Promise<ReadonlyMap<number, number>>;
  readonly now: () => number;
  /** How far apart they may be. */
  readonly apartMsMax?: number;
  /** One that does not move for so long is not waited for until it does. */
  readonly patienceMs?: number;
  readonly askEveryMs?: number;
}

interface Other {
  readonly atMs: number;
  /** Since when it stands there, by our clock. */
  readonly sinceMs: number;
}

export class KafkaPace {
  readonly #options: Required<PaceOptions>;
  readonly #others = new Map<number, Other>();
  readonly #stopping = new AbortController();
  #askedMs = Number.NEGATIVE_INFINITY;

  constructor(options: PaceOptions) {
    this.#options = { apartMsMax: 10_000, patienceMs: 30_000, askEveryMs: 500, ...options };
  }

  /** Resolves when what arrived at `atMs` may be told. */
  async keep(atMs: number): Promise<void> {
    const { now, apartMsMax, askEveryMs } = this.#options;
    const { signal } = this.#stopping;
    while (now() - atMs > apartMsMax && !signal.aborted) {
      if (now() - this.#askedMs >= askEveryMs) await this.#ask();
      if (!this.#isAhead(atMs)) return;
      await setTimeout(askEveryMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Nobody waits any longer. */
  stop(): void {
    this.#stopping.abort();
  }

  #isAhead(atMs: number): boolean {
    const { now, apartMsMax, patienceMs } = this.#options;
    return [...this.#others.values()].some(
      (other) => atMs - other.atMs > apartMsMax && now() - other.sinceMs < patienceMs,
    );
  }

  async #ask(): Promise<void> {
    const { now, others } = this.#options;
    for (const [partition, atMs] of await others()) {
      const known = this.#others.get(partition);
      if (known === undefined || known.atMs !== atMs) this.#others.set(partition, { atMs, sinceMs: now() });
    }
    this.#askedMs = now();
  }
}
