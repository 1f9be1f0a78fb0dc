import { createHmac } from "node:crypto";
import { expect, it } from "vitest";
import { keyedHash } from "./keyed-hash.ts";

it("is HMAC-SHA256 for keys shorter than, as long as and longer than a block", () => {
  for (const key of ["", "k", "x".repeat(64), "y".repeat(200), Buffer.from([0, 255, 128])]) {
    for (const text of ["", "hello", "wörld ✓", "z".repeat(5000)]) {
      expect(keyedHash(key)(text)).toBe(createHmac("sha256", key).update(text).digest("hex"));
    }
  }
});
