/**
 * The durable ordered log between stages.
 *
 * Contract. Offsets are positive safe integers, increasing from entry to entry, never reused, also after `trim` and
 * restart. They need not be consecutive: Kafka puts the end of a transaction among the entries. An entry that was read
 * once reads the same for ever, until it is trimmed. `append` resolves only when the entry would survive a loss of power.
 * Errors of the disk or of the brokers reject the promise.
 */

export interface LogEntry {
  readonly offset: number;
  readonly payload: Uint8Array;
}

/** A log as one of its consumers sees it. */
export interface LogReader {
  /**
   * Entries with an offset above `after`, in order, at most `limit`; there may be more than it gives, but it is empty only
   * when there was none when it was asked.
   */
  read(after: number, limit: number): Promise<readonly LogEntry[]>;
  /** Resolves when an entry above `after` is readable, or when `signal` aborts. */
  waitFor(after: number, signal: AbortSignal): Promise<void>;
  /**
   * Nobody who reads through this needs entries up to and including `offset` any longer. Repeating it, or an offset already
   * gone, is harmless. A log with a retention of its own keeps them for others.
   */
  trim(offset: number): Promise<void>;
  /** Offset of the newest entry that is known here, 0 where none is. */
  lastOffset(): number;
}

export interface EventLog extends LogReader {
  /** Appends one entry; resolves with its offset once it is on disk. */
  append(payload: Uint8Array): Promise<number>;
  /** What `read` gives, at once: the files are mapped into memory. */
  peek(after: number, limit: number): readonly LogEntry[];
  /** Offset of the oldest entry still kept minus one: everything at or below it is gone. */
  trimmedOffset(): number;
  /** Bytes of file on disk. */
  sizeBytes(): number;
  /** Finishes what was begun and releases the files. */
  close(): Promise<void>;
}
