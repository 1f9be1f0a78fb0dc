import { expect, it } from "vitest";
import type { ParkedEntry } from "../event-log/dead-letter.ts";
import { CorruptEntry } from "../event-log/unreadable-entry.ts";
import { readEntry } from "./read-entry.ts";

function corrupt(): never {
  throw new CorruptEntry("no entry");
}

/** How many unreadable entries in a row, each of so many bytes, are put aside together. */
function together(bytes: number): number {
  const parked: ParkedEntry[] = [];
  for (let offset = 1; offset < 100; offset++) {
    const entry = { offset, payload: new Uint8Array(bytes) };
    const read = readEntry(entry, corrupt, { parks: true, first: offset === 1, parked, now: () => 7 });
    if (read === null || !("parked" in read)) return parked.length;
    parked.push(read.parked);
  }
  return parked.length;
}

it("ends a step before what is put aside is more than a message of the dead-letter topic may hold", () => {
  expect(together(2 * 1024 * 1024)).toBe(4);
  // However long, one is always put aside.
  expect(together(16 * 1024 * 1024)).toBe(1);
  expect(together(100)).toBe(16);
});
