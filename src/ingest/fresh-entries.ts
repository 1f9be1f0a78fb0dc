/** The newest decoded entries of a log, so that a consumer that keeps up need not decode what was just encoded. */

export class FreshEntries<Entry> {
  readonly #capacity: number;
  readonly #entries = new Map<number, Entry>();

  /** @param capacity entries kept at most; the oldest goes first. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  put(offset: number, entry: Entry): void {
    this.#entries.set(offset, entry);
    if (this.#entries.size <= this.#capacity) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      break;
    }
  }

  get(offset: number): Entry | undefined {
    return this.#entries.get(offset);
  }

  /** Forgets entries up to and including `offset`: every consumer has read them. */
  forget(offset: number): void {
    for (const known of this.#entries.keys()) {
      if (known > offset) break;
      this.#entries.delete(known);
    }
  }
}
