/** Work that has begun and not ended: what must be waited for before an engine or a connection is let go. */
export class RunningWork {
  readonly #running = new Set<Promise<unknown>>();
  #closed: Promise<void> | undefined;

  /** Begins work, unless closing has begun. */
  start<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#closed !== undefined) return Promise.reject(new Error("the store is closed"));
    const running = work().finally(() => this.#running.delete(running));
    this.#running.add(running);
    return running;
  }

  /** Refuses new work, waits for what runs, then releases; repeating it waits for the same. */
  close(release: () => Promise<void>): Promise<void> {
    this.#closed ??= Promise.allSettled(this.#running).then(release);
    return this.#closed;
  }
}
