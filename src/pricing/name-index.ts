/** Values by two names: looking up by both costs no text that joins them, which is most of what a price would cost. */

export class NameIndex<Value> {
  readonly #most: number;
  #size = 0;
  #values = new Map<string, Map<string, Value>>();

  /** @param most values kept; one more and all are forgotten. */
  constructor(most: number) {
    this.#most = most;
  }

  get(first: string, second: string): Value | undefined {
    return this.#values.get(first)?.get(second);
  }

  set(first: string, second: string, value: Value): void {
    if (this.#size >= this.#most) {
      this.#values = new Map();
      this.#size = 0;
    }
    const known = this.#values.get(first);
    if (known === undefined) this.#values.set(first, new Map([[second, value]]));
    else known.set(second, value);
    this.#size++;
  }
}
