/**
 * Bytes of log entries: numbers, ids and texts, written and read in one pass. Each entry has a table of its texts, so
 * that a name that a thousand records share is written once. Own code and no library: packing objects with MessagePack
 * was a third of the server's main thread.
 */

import { readHex, writeHex } from "../event-log/hex-id.ts";

/** The head: version, place of the texts, arrival. */
const textsAt = 1;
const arrivedAt = 5;
const headBytes = 13;
const growth = 2;
const places = 256;
/** Bytes of UTF-8 for one UTF-16 unit. */
const utf8BytesMax = 3;

/** Writes one entry after another into memory that it keeps. */
export class EntryWriter {
  #bytes = Buffer.allocUnsafeSlow(256 * 1024);
  #at = 0;
  readonly #numbers = new Map<string, number>();
  readonly #texts: string[] = [];
  /** The last text of each place and its number: at one place the same text comes again and again. */
  readonly #lastTexts: string[] = new Array<string>(places).fill("");
  readonly #lastNumbers: number[] = new Array<number>(places).fill(-1);

  /** Begins an entry with its head. Its texts come last, but are read first: their place is kept free here. */
  begin(version: number, arrivedAtMs: number): void {
    this.#bytes[0] = version;
    this.#bytes.writeDoubleLE(arrivedAtMs, arrivedAt);
    this.#at = headBytes;
    this.#numbers.clear();
    this.#texts.length = 0;
    this.#lastNumbers.fill(-1);
  }

  /** Ends the entry. @returns its bytes, in memory of their own that can be given to another thread. */
  end(): Uint8Array<ArrayBuffer> {
    this.#bytes.writeUInt32LE(this.#at, textsAt);
    this.reserve(8);
    this.count(this.#texts.length);
    for (const text of this.#texts) {
      this.reserve(4 + utf8BytesMax * text.length);
      const size = this.#bytes.write(text, this.#at + 4, "utf8");
      this.#at = this.#bytes.writeUInt32LE(size, this.#at) + size;
    }
    const entry = new Uint8Array(this.#at);
    entry.set(this.#bytes.subarray(0, this.#at));
    return entry;
  }

  /** Makes room for so many bytes, which `byte`, `count` and `signed` take for granted. */
  reserve(size: number): void {
    if (this.#at + size <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(growth * this.#bytes.length, this.#at + size));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }

  byte(value: number): void {
    this.#bytes[this.#at++] = value;
  }

  uint32(value: number): void {
    this.#at = this.#bytes.writeUInt32LE(value, this.#at);
  }

  double(value: number): void {
    this.#at = this.#bytes.writeDoubleLE(value, this.#at);
  }

  /** A whole number from 0 to 2^53, seven bits a byte. */
  count(value: number): void {
    let rest = value;
    while (rest >= 0x80000000) {
      this.#bytes[this.#at++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    while (rest >= 0x80) {
      this.#bytes[this.#at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#bytes[this.#at++] = rest;
  }

  /** A whole number of either sign, below 2^52. */
  signed(value: number): void {
    this.count(value >= 0 ? value * 2 : -value * 2 - 1);
  }

  /** So many bytes as hex digits. @throws Error for anything else: an id that is cut would be another id. */
  hex(digits: string, size: number): void {
    if (!writeHex(this.#bytes, this.#at, size, digits)) throw new Error(`"${digits}" is no id of ${size} bytes`);
    this.#at += size;
  }

  /** The number of a text in the table. @param place any small number, the same for texts that are likely the same. */
  text(value: string, place: number): void {
    const slot = place % places;
    if (this.#lastTexts[slot] !== value || this.#lastNumbers[slot] === -1) {
      this.#lastTexts[slot] = value;
      this.#lastNumbers[slot] = this.#numberOf(value);
    }
    this.count(this.#lastNumbers[slot] ?? 0);
  }

  #numberOf(text: string): number {
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    const number = this.#texts.length;
    this.#numbers.set(text, number);
    this.#texts.push(text);
    return number;
  }
}

/** Reads one entry in the order in which it was written. */
export class EntryReader {
  readonly #bytes: Buffer;
  #at = 0;
  readonly #texts: readonly string[];

  constructor(payload: Uint8Array) {
    this.#bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    this.#texts = this.#readTexts();
  }

  #readTexts(): string[] {
    this.#at = this.#bytes.readUInt32LE(textsAt);
    const texts = new Array<string>(this.count());
    for (let index = 0; index < texts.length; index++) {
      const start = this.#at + 4;
      this.#at = start + this.#bytes.readUInt32LE(this.#at);
      texts[index] = this.#bytes.toString("utf8", start, this.#at);
    }
    this.#at = headBytes;
    return texts;
  }

  byte(): number {
    return this.#bytes[this.#at++] ?? 0;
  }

  uint32(): number {
    const value = this.#bytes.readUInt32LE(this.#at);
    this.#at += 4;
    return value;
  }

  double(): number {
    const value = this.#bytes.readDoubleLE(this.#at);
    this.#at += 8;
    return value;
  }

  count(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
  }

  signed(): number {
    const value = this.count();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  hex(size: number): string {
    this.#at += size;
    return readHex(this.#bytes, this.#at - size, size);
  }

  text(): string {
    return this.#texts[this.count()] ?? "";
  }
}

/** Unix milliseconds of an entry's arrival, without reading the rest. */
export function arrivedAtMsOf(payload: Uint8Array): number {
  return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).readDoubleLE(arrivedAt);
}

/** Versions of entries that can be read; the newest is written. */
export interface EntryVersions {
  readonly oldest: number;
  readonly newest: number;
}

/** A reader stops instead of guessing. @throws Error when a version wrote the entry that is not read. */
export function checkVersion(payload: Uint8Array, { oldest, newest }: EntryVersions, log: string): void {
  const found = payload[0] ?? 0;
  if (found >= oldest && found <= newest) return;
  const read = oldest === newest ? `version ${newest}` : `versions ${oldest} to ${newest}`;
  throw new Error(
    `${log} log: entry of version ${found}, this Burnwatch reads ${read}: start the version that wrote it and let it finish`,
  );
}
