/**
 * A bounded set of connections to the embedded engine. One connection runs one statement at a time, and settings made
 * with `SET` stay on it: each is therefore prepared once for a purpose (`key`) and only used for that.
 */

/** What the pool must be able to do with a connection. */
interface Closable {
  readonly client: { close(): Promise<void> };
}

export interface PoolOptions<Connection> {
  /** Opens a connection and makes its settings for this purpose. */
  readonly open: (key: string) => Promise<Connection>;
  readonly connectionsMax: number;
  /** Callers beyond this many waiting are refused: a queue without end only hides the overload. */
  readonly waitingMax: number;
}

interface Slot<Connection> {
  readonly key: string;
  readonly connection: Promise<Connection>;
  busy: boolean;
}

interface Waiter<Connection> {
  readonly key: string;
  readonly resolve: (slot: Slot<Connection>) => void;
}

export class ConnectionPool<Connection extends Closable> {
  readonly #options: PoolOptions<Connection>;
  readonly #slots = new Set<Slot<Connection>>();
  readonly #waiting: Waiter<Connection>[] = [];

  constructor(options: PoolOptions<Connection>) {
    this.#options = options;
  }

  /** Runs work on a connection prepared for `key`, alone on it, in the order of calls. */
  async use<Result>(key: string, work: (connection: Connection) => Promise<Result>): Promise<Result> {
    // Nobody overtakes those who wait.
    const taken = this.#waiting.length === 0 ? this.#take(key) : undefined;
    const slot = taken ?? (await this.#wait(key));
    try {
      return await work(await slot.connection);
    } finally {
      await this.#release(slot);
    }
  }

  /** Closes the idle connections. The caller has waited for running work. */
  async close(): Promise<void> {
    for (const slot of this.#slots) await discard(slot);
    this.#slots.clear();
  }

  #take(key: string): Slot<Connection> | undefined {
    let idle: Slot<Connection> | undefined;
    for (const slot of this.#slots) {
      if (slot.busy) continue;
      if (slot.key === key) {
        slot.busy = true;
        return slot;
      }
      idle = slot;
    }
    if (this.#slots.size >= this.#options.connectionsMax) {
      if (idle === undefined) return undefined;
      this.#slots.delete(idle);
      void discard(idle);
    }
    const slot = { key, connection: this.#options.open(key), busy: true };
    this.#slots.add(slot);
    return slot;
  }

  #wait(key: string): Promise<Slot<Connection>> {
    if (this.#waiting.length >= this.#options.waitingMax)
      return Promise.reject(new Error(`the store is busy: ${this.#waiting.length} queries are waiting already`));
    return new Promise((resolve) => this.#waiting.push({ key, resolve }));
  }

  async #release(slot: Slot<Connection>): Promise<void> {
    slot.busy = false;
    // A connection that could not be opened or prepared is not offered again.
    const usable = await slot.connection.then(
      () => true,
      () => false,
    );
    if (!usable) this.#slots.delete(slot);
    const next = this.#waiting[0];
    if (next === undefined) return;
    const free = this.#take(next.key);
    if (free === undefined) return;
    this.#waiting.shift();
    next.resolve(free);
  }
}

async function discard(slot: Slot<Closable>): Promise<void> {
  const connection = await slot.connection.catch(() => undefined);
  await connection?.client.close();
}
