/** Ids against Node's own conversion. */

import { randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import { readHex, writeHex } from "./hex-id.ts";

it("reads and writes what Node does, of every byte and at every place", () => {
  const bytes = Buffer.concat([Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)), randomBytes(256)]);
  for (const size of [8, 16]) {
    for (let at = 0; at + size <= bytes.length; at++) {
      const digits = bytes.toString("hex", at, at + size);
      expect(readHex(bytes, at, size)).toBe(digits);
      const written = Buffer.alloc(size + 2);
      expect(writeHex(written, 1, size, digits)).toBe(true);
      expect(written.toString("hex")).toBe(`00${digits}00`);
      expect(writeHex(written, 1, size, digits.toUpperCase())).toBe(true);
    }
  }
});

it.each(["", "0", "0123456789abcde", "0123456789abcdef0", "0123456789abcdeg", "０123456789abcdef", "0123 56789abcdef"])(
  "does not write %j as eight bytes",
  (digits) => {
    expect(writeHex(Buffer.alloc(16), 0, 8, digits)).toBe(false);
  },
);

it("does not write beyond the end", () => {
  expect(writeHex(Buffer.alloc(8), 1, 8, "0123456789abcdef")).toBe(false);
});
