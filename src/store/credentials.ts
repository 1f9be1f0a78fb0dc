/** Whether a server still takes the users it knew: a password may expire, or be changed, while somebody works with it. */

const askAgainMs = 2000;

interface Refusal {
  readonly line: string;
  readonly timer: NodeJS.Timeout;
}

interface Refused {
  readonly isRefusal: boolean;
  readonly ask: () => Promise<unknown>;
}

export class Credentials {
  readonly #refusals = new Map<string, Refusal>();

  /** Why the server takes somebody no more, in one line; null while it takes everybody. */
  refusal(): string | null {
    const [first] = this.#refusals.values();
    return first?.line ?? null;
  }

  /** The server took whoever comes with these keys. */
  taken(keys: string): void {
    clearInterval(this.#refusals.get(keys)?.timer);
    this.#refusals.delete(keys);
  }

  /**
   * Takes note of an error and gives it back. Where it is that of a user whom the server does not take, `ask` is tried every
   * two seconds until it is answered, so that who is not ready, and is asked nothing, sees that the user is taken again.
   */
  seen(error: unknown, keys: string, { isRefusal, ask }: Refused): unknown {
    if (!isRefusal || this.#refusals.has(keys)) return error;
    const again = () =>
      void ask()
        .then(() => this.taken(keys))
        .catch(() => undefined);
    const line = error instanceof Error ? error.message : String(error);
    this.#refusals.set(keys, { line, timer: setInterval(again, askAgainMs).unref() });
    return error;
  }

  /** Asks no more. */
  close(): void {
    for (const keys of [...this.#refusals.keys()]) this.taken(keys);
  }
}
