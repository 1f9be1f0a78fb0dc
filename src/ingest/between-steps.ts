/** Work that waits for its turn between two steps of the resolver: one piece at a time, in the order in which it came. */

interface Waiting {
  readonly run: () => Promise<void>;
  readonly cancel: (reason: Error) => void;
}

export class BetweenSteps {
  #waiting: Waiting[] = [];
  #asked = new AbortController();
  #closed = false;

  /** Runs `work` at the next turn. Rejects when there will be none. */
  run<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#closed) return Promise.reject(stopped());
    return new Promise<Result>((done, cancel) => {
      this.#waiting.push({ run: () => work().then(done, cancel), cancel });
      this.#asked.abort();
    });
  }

  /** Aborted once there is work; asked for again after `runAll`. */
  asked(): AbortSignal {
    return this.#asked.signal;
  }

  /** Runs what waits. Its failures belong to who asked for it. */
  async runAll(): Promise<void> {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#asked = new AbortController();
    for (const { run } of waiting) await run();
  }

  /** No more turns. */
  close(): void {
    this.#closed = true;
    for (const { cancel } of this.#waiting.splice(0)) cancel(stopped());
  }
}

function stopped(): Error {
  return new Error("the resolver has stopped");
}
