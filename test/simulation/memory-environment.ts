/** What the resolver's memory needs of lmdb, in this process's memory: the index above it is the real one. */

import type { RootDatabase } from "lmdb";

/** A disk of directories, each with an environment that stays when it is closed. */
export class MemoryDisk {
  readonly #environments = new Map<string, MemoryEnvironment>();

  copy(directory: string) {
    return {
      open: () => {
        const environment = this.#environments.get(directory) ?? new MemoryEnvironment();
        this.#environments.set(directory, environment);
        return environment as unknown as RootDatabase;
      },
      remove: () => void this.#environments.delete(directory),
    };
  }

  /** Entries under all keys: what would stand on the disk. */
  size(): number {
    let size = 0;
    for (const environment of this.#environments.values()) size += environment.size();
    return size;
  }
}

class MemoryEnvironment {
  readonly #databases = new Map<string, MemoryDatabase>();

  openDB({ name }: { readonly name: string }): MemoryDatabase {
    const database = this.#databases.get(name) ?? new MemoryDatabase();
    this.#databases.set(name, database);
    return database;
  }

  /** Nothing can come between the first change and the last. */
  async batch(work: () => void): Promise<void> {
    work();
  }

  resetReadTxn(): void {
    // There are no snapshots.
  }

  async close(): Promise<void> {
    // Its changes are there.
  }

  size(): number {
    return [...this.#databases.values()].reduce((sum, { size }) => sum + size, 0);
  }
}

class MemoryDatabase {
  readonly #values = new Map<string, unknown>();

  get size(): number {
    return this.#values.size;
  }

  get(key: Buffer | string): unknown {
    return this.#values.get(textOf(key));
  }

  async put(key: Buffer | string, value: unknown): Promise<boolean> {
    // On a disk it would be a copy, too.
    this.#values.set(textOf(key), Buffer.isBuffer(value) ? Buffer.from(value) : structuredClone(value));
    return true;
  }

  async remove(key: Buffer | string): Promise<boolean> {
    return this.#values.delete(textOf(key));
  }

  getKeys(): Iterable<string> {
    return [...this.#values.keys()];
  }

  getRange(): Iterable<{ readonly key: string; readonly value: unknown }> {
    return Array.from(this.#values, ([key, value]) => ({ key, value }));
  }

  async clearAsync(): Promise<void> {
    this.#values.clear();
  }
}

function textOf(key: Buffer | string): string {
  return typeof key === "string" ? key : key.toString("latin1");
}
