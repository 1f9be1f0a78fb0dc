/**
 * The event log on lmdb: one environment, one writer, group commit. Entries become readable only once they are on
 * disk: otherwise a consumer in another environment could remember an offset that a loss of power takes back.
 */

import { type Database, open, type RootDatabase } from "lmdb";
import type { DiskSpace } from "./disk-space.ts";
import type { EventLog, LogEntry } from "./event-log.ts";

export interface LmdbLogOptions {
  readonly directory: string;
  /** Each write waits for room there; without it none does. */
  readonly space?: DiskSpace;
}

const trimmedKey = "trimmed";

export class LmdbLog implements EventLog {
  /** The environment, for the database that must change in the same transaction as this log. */
  readonly environment: RootDatabase;
  readonly #options: LmdbLogOptions;
  readonly #entries: Database<Buffer, number>;
  readonly #marks: Database<number, string>;
  #nextOffset: number;
  #durableOffset: number;
  #trimmedOffset: number;
  #appended: (() => void)[] = [];
  #failure: Error | undefined;

  constructor(options: LmdbLogOptions) {
    this.#options = options;
    // Overlapping the flush with the next transaction has lost its list of free pages once ("reserved freelist").
    this.environment = open({
      path: options.directory,
      maxDbs: 16,
      noSubdir: false,
      noMemInit: true,
      overlappingSync: false,
    });
    this.#entries = this.environment.openDB({ name: "entries", encoding: "binary" });
    this.#marks = this.environment.openDB({ name: "marks" });
    this.#trimmedOffset = this.#marks.get(trimmedKey) ?? 0;
    const newest = [...this.#entries.getKeys({ reverse: true, limit: 1 })][0] ?? 0;
    this.#durableOffset = Math.max(newest, this.#trimmedOffset);
    this.#nextOffset = this.#durableOffset + 1;
  }

  append(payload: Uint8Array): Promise<number> {
    return this.transact(async () => {
      const { offset, committed } = this.#put(payload);
      await committed;
      await this.environment.flushed;
      this.#show(offset);
      return offset;
    });
  }

  /**
   * Appends entries in one transaction with whatever `others` puts into this environment.
   * @returns their offsets, once all of it is on disk.
   */
  appendWith(payloads: readonly Uint8Array[], others: () => void): Promise<readonly number[]> {
    return this.transact(async () => {
      let offsets: readonly number[] = [];
      await this.environment.batch(() => {
        offsets = payloads.map((payload) => this.#put(payload).offset);
        others();
      });
      // Both are needed: lmdb may tell of the flush before it lets its readers see the commit.
      await this.environment.flushed;
      this.#show(offsets.at(-1) ?? 0);
      return offsets;
    });
  }

  /**
   * Makes one transaction: waits for room, and words a failure. After a failure nothing is written any more: offsets
   * would be missing, and lmdb may have spoilt the heap (see `disk-space.ts`). The process has to end.
   */
  async transact<Value>(work: () => Promise<Value>): Promise<Value> {
    await this.#options.space?.untilRoom();
    if (this.#failure !== undefined) throw this.#failure;
    try {
      return await work();
    } catch (error) {
      const { directory, space } = this.#options;
      const reason = await reasonOf(error);
      // A write that fits in part fails as "Input/output error": the free space tells what it was.
      const free = space === undefined ? "" : `, ${(space.freeBytes() / 1e6).toFixed(1)} MB free there`;
      this.#failure ??= new Error(`cannot write ${directory}: ${reason}${free}`);
      throw this.#failure;
    }
  }

  #put(payload: Uint8Array): { readonly offset: number; readonly committed: Promise<boolean> } {
    const offset = this.#nextOffset++;
    const committed = this.#entries.put(offset, Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength));
    return { offset, committed };
  }

  /** Makes known what is on disk. */
  #show(offset: number): void {
    // lmdb reads from one snapshot for a whole turn of the event loop. From one of before the commit, a consumer would
    // be told of an entry that it cannot see, and ask for it in microtasks for ever; and whatever else was put with it,
    // or without any entry, would not be read again by whoever put it.
    this.environment.resetReadTxn();
    if (offset > this.#durableOffset) this.#durableOffset = offset;
    const waiting = this.#appended;
    this.#appended = [];
    for (const wake of waiting) wake();
  }

  async waitFor(after: number, signal: AbortSignal): Promise<void> {
    while (this.#durableOffset <= after && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const wake = () => {
          signal.removeEventListener("abort", wake);
          resolve();
        };
        signal.addEventListener("abort", wake, { once: true });
        this.#appended.push(wake);
      });
    }
  }

  async read(after: number, limit: number): Promise<readonly LogEntry[]> {
    return this.peek(after, limit);
  }

  peek(after: number, limit: number): readonly LogEntry[] {
    const start = Math.max(after, this.#trimmedOffset) + 1;
    if (start > this.#durableOffset) return [];
    const range = this.#entries.getRange({ start, end: this.#durableOffset + 1, limit });
    return Array.from(range, ({ key, value }) => ({ offset: key, payload: value }));
  }

  async trim(offset: number): Promise<void> {
    const upTo = Math.min(offset, this.#durableOffset);
    // Even to free pages lmdb needs new ones; what is not trimmed now will be the next time.
    if (upTo <= this.#trimmedOffset || this.#options.space?.hasRoom() === false) return;
    const keys = Array.from(this.#entries.getKeys({ start: this.#trimmedOffset + 1, end: upTo + 1 }));
    this.#trimmedOffset = upTo;
    await this.transact(() =>
      this.environment.batch(() => {
        for (const key of keys) this.#entries.remove(key);
        this.#marks.put(trimmedKey, upTo);
      }),
    );
  }

  lastOffset(): number {
    return this.#durableOffset;
  }

  trimmedOffset(): number {
    return this.#trimmedOffset;
  }

  sizeBytes(): number {
    const stats = this.environment.getStats() as { pageSize: number; lastPageNumber: number };
    return stats.pageSize * (stats.lastPageNumber + 1);
  }

  async close(): Promise<void> {
    // After a failed commit lmdb would wait for ever for its flush.
    if (this.#failure !== undefined) return;
    await this.environment.flushed;
    await this.environment.close();
  }
}

/** lmdb says only that a commit failed; the reason is the rejection of a promise, which somebody must take. */
async function reasonOf(error: unknown): Promise<string> {
  const { message, commitError } = error as Error & { readonly commitError?: Promise<never> };
  const cause = await commitError?.catch((reason: Error) => reason);
  // Behind the first colon it tells of pages and buffers.
  return cause?.message.split(":")[0] ?? message;
}
