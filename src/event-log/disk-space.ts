/**
 * Room on the disk of the data directory. Neither engine may meet its end: lmdb-js 3.5.6 overruns a buffer on the heap
 * while it words a failed write, and the process dies of that somewhere else. So the last bytes are left alone: first no
 * more spans are taken, and what was acknowledged is still written; below a quarter of that nothing is written at all.
 * ClickHouse's merges need room of their own and look for it themselves.
 */

import { statfsSync } from "node:fs";
import { setTimeout } from "node:timers/promises";

export interface DiskSpaceOptions {
  /** Must exist. */
  readonly directory: string;
  /** Below it no spans are taken; 0 switches the guard off. */
  readonly freeBytesMin: number;
  /** Asked each time, by default of the operating system: 5 us, and in a cached second a disk takes a gigabyte. */
  readonly freeBytes?: (directory: string) => number;
}

/** The process stops while a write waits for room. Nothing is lost: what was acknowledged is in the log. */
export class NoRoomError extends Error {
  override name = "NoRoomError";
}

const writtenShare = 1 / 4;
const askAgainMs = 250;

export class DiskSpace {
  readonly freeBytesMin: number;
  readonly #directory: string;
  readonly #ask: (directory: string) => number;
  readonly #closing = new AbortController();
  #waiting: Promise<void> | undefined;

  constructor({ directory, freeBytesMin, freeBytes = freeBytesOf }: DiskSpaceOptions) {
    this.freeBytesMin = freeBytesMin;
    this.#directory = directory;
    this.#ask = freeBytes;
  }

  freeBytes(): number {
    return this.#ask(this.#directory);
  }

  /** Why no spans are taken; null while there is enough room. */
  shortage(): string | null {
    const free = this.freeBytes();
    if (free >= this.freeBytesMin) return null;
    return `not enough space on the collector's disk: ${megabytes(free)} MB free, ${megabytes(this.freeBytesMin)} MB needed (disk.free_bytes_min)`;
  }

  /** True when what was acknowledged may still be written. */
  hasRoom(): boolean {
    return this.freeBytes() >= this.freeBytesMin * writtenShare;
  }

  /** Resolves once there is room to write, in the order of the calls. @throws NoRoomError when it is closed first. */
  async untilRoom(): Promise<void> {
    if (this.#waiting === undefined && this.hasRoom()) return;
    this.#waiting ??= this.#poll();
    await this.#waiting;
  }

  /** From now on nothing waits for room. */
  close(): void {
    this.#closing.abort();
  }

  async #poll(): Promise<void> {
    const { signal } = this.#closing;
    try {
      while (!this.hasRoom()) {
        if (signal.aborted) throw new NoRoomError("the disk is full, and the process is to stop");
        await setTimeout(askAgainMs, undefined, { signal }).catch(() => undefined);
      }
    } finally {
      this.#waiting = undefined;
    }
  }
}

function freeBytesOf(directory: string): number {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
