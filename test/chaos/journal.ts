/** Keeps the entries that the usage log is about to forget, so that a fresh detector can read the log from its start. */

import { appendFileSync, existsSync, readFileSync } from "node:fs";
import type { EventLog, LogEntry } from "../../src/event-log/event-log.ts";

const entriesPerRead = 256;

export class Journal {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Writes the entries up to `offset` that the log still has. Call it before they are trimmed. */
  keep(log: EventLog, offset: number): void {
    let lines = "";
    for (let after = log.trimmedOffset(); after < offset; ) {
      const entries = log.peek(after, entriesPerRead);
      for (const entry of entries) {
        after = entry.offset;
        if (entry.offset > offset) break;
        // A line of its own on both sides: a line cut short by a kill then spoils no other.
        lines += `\n${entry.offset} ${Buffer.from(entry.payload).toString("base64")} .\n`;
      }
      if (entries.length === 0) break;
    }
    appendFileSync(this.#path, lines);
  }

  /** Entries by offset, each once: a kill between keeping and trimming keeps them twice. */
  entries(): ReadonlyMap<number, LogEntry> {
    const found = new Map<number, LogEntry>();
    if (!existsSync(this.#path)) return found;
    for (const line of readFileSync(this.#path, "utf8").split("\n")) {
      const [offset, payload, end] = line.split(" ");
      if (end !== ".") continue;
      found.set(Number(offset), { offset: Number(offset), payload: Buffer.from(payload ?? "", "base64") });
    }
    return found;
  }
}
