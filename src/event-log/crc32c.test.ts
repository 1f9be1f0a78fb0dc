import { expect, it } from "vitest";
import { crc32c } from "./crc32c.ts";

/** Bit by bit, from the definition in RFC 3720. */
function bitByBit(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

it.each([
  ["nothing", new Uint8Array(0), 0],
  ["123456789, the check value of the polynomial", Buffer.from("123456789"), 0xe3069283],
  ["32 bytes of zeros (RFC 3720, B.4)", new Uint8Array(32), 0x8a9136aa],
  ["32 bytes of ones (RFC 3720, B.4)", new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ["0 to 31 (RFC 3720, B.4)", Uint8Array.from({ length: 32 }, (_, index) => index), 0x46dd794e],
])("is that of %s", (_, bytes, expected) => {
  expect(crc32c(bytes)).toBe(expected);
});

it("is the one reckoned bit by bit, at every length and from any start", () => {
  const bytes = Uint8Array.from({ length: 100 }, (_, index) => Math.imul(index + 1, 0x9e3779b1) >>> 24);
  for (let length = 0; length <= bytes.length; length++)
    expect(crc32c(bytes.subarray(0, length))).toBe(bitByBit(bytes.subarray(0, length)));
  for (let start = 0; start <= bytes.length; start++)
    expect(crc32c(bytes, start)).toBe(bitByBit(bytes.subarray(start)));
});
