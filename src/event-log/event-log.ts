/**
 * The durable ordered log between stages.
 *
 * Contract. Offsets are positive safe integers, increasing by one per entry, never reused, also after `trim` and restart.
 * An entry that was read once reads the same for ever, until it is trimmed. `append` resolves only when the entry would
 * survive a loss of power. Errors of the disk reject the promise; nothing is retried inside.
 */

export interface LogEntry {
  readonly offset: number;
  readonly payload: Uint8Array;
}

export interface EventLog {
  /** Appends one entry; resolves with its offset once it is on disk. */
  append(payload: Uint8Array): Promise<number>;
  /** Entries with an offset above `after`, in order, at most `limit`; empty when there are none yet. */
  read(after: number, limit: number): readonly LogEntry[];
  /** Resolves when an entry above `after` is readable, or when `signal` aborts. */
  waitFor(after: number, signal: AbortSignal): Promise<void>;
  /** Forgets entries up to and including `offset`. Repeating it, or an offset already gone, is harmless. */
  trim(offset: number): Promise<void>;
  /** Offset of the newest entry, 0 when nothing was ever appended. */
  lastOffset(): number;
  /** Offset of the oldest entry still kept minus one: everything at or below it is gone. */
  trimmedOffset(): number;
  /** Bytes of file on disk. */
  sizeBytes(): number;
  /** Finishes what was begun and releases the files. */
  close(): Promise<void>;
}
