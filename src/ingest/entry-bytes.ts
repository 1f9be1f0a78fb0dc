/**
 * Bytes of log entries: numbers, ids and texts, written and read in one pass. Each entry has a table of its texts, so
 * that a name that a thousand records share is written once. Own code and no library: packing objects with MessagePack
 * was a third of the server's main thread.
 */

import { readHex, writeHex } from "../event-log/hex-id.ts";
import { CorruptEntry, OtherVersionEntry, versionsAheadMax } from "../event-log/unreadable-entry.ts";

/** The head: version, place of the texts, arrival. */
const textsAt = 1;
const arrivedAt = 5;
const headBytes = 13;
const growth = 2;
const places = 256;
/** Bytes of UTF-8 for one UTF-16 unit. */
const utf8BytesMax = 3;
/** New texts in a row at one place, after which it is taken for a place of ids: what comes there is not looked for. */
const strangersMax = 32;
/** Scale of the last byte that a number of 53 bits has. */
const countScaleMax = 128 ** 7;

/** Writes one entry after another into memory that it keeps. */
export class EntryWriter {
  #bytes = Buffer.allocUnsafeSlow(256 * 1024);
  #at = 0;
  readonly #numbers = new Map<string, number>();
  readonly #texts: string[] = [];
  /** The last text of each place and its number: at one place the same text comes again and again. */
  readonly #lastTexts: string[] = new Array<string>(places).fill("");
  readonly #lastNumbers: number[] = new Array<number>(places).fill(-1);
  /** Of each place, the texts in a row that were new to the entry. */
  readonly #strangers: number[] = new Array<number>(places).fill(0);

  /** Begins an entry with its head. Its texts come last, but are read first: their place is kept free here. */
  begin(version: number, arrivedAtMs: number): void {
    this.#bytes[0] = version;
    this.#bytes.writeDoubleLE(arrivedAtMs, arrivedAt);
    this.#at = headBytes;
    this.#numbers.clear();
    this.#texts.length = 0;
    this.#lastNumbers.fill(-1);
    this.#strangers.fill(0);
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
      this.#lastNumbers[slot] = this.#numberOf(value, slot);
    }
    this.count(this.#lastNumbers[slot] ?? 0);
  }

  /**
   * Ids of answers, sessions and runs are new each time: looking for them, and a table of thousands of them that is made
   * anew for each entry, took more than anything else in here. So a text may stand in the table twice.
   */
  #numberOf(text: string, slot: number): number {
    const number = this.#texts.length;
    const strangers = this.#strangers[slot] ?? 0;
    if (strangers < strangersMax) {
      const known = this.#numbers.get(text);
      this.#strangers[slot] = known === undefined ? strangers + 1 : 0;
      if (known !== undefined) return known;
      this.#numbers.set(text, number);
    }
    this.#texts.push(text);
    return number;
  }
}

/**
 * Reads one entry in the order in which it was written. What cannot have been written so (a number, list or text that
 * reaches beyond the entry, bytes that are left over) is an error; a wrong digit within a number is not seen: against that
 * the brokers' and disks' own checksums stand.
 */
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
    const texts = new Array<string>(this.length());
    for (let index = 0; index < texts.length; index++) {
      const start = this.#at + 4;
      this.#at = start + this.#bytes.readUInt32LE(this.#at);
      if (this.#at > this.#bytes.length) throw new CorruptEntry("a text reaches beyond its end");
      texts[index] = this.#bytes.toString("utf8", start, this.#at);
    }
    if (this.#at !== this.#bytes.length) throw new CorruptEntry("it goes on behind its end");
    this.#at = headBytes;
    return texts;
  }

  byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw new CorruptEntry("it ends too early");
    return byte;
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
      if (scale >= countScaleMax) throw new CorruptEntry("a number has too many digits");
      scale *= 128;
    }
  }

  /** How many follow, each of a byte at least. */
  length(): number {
    const length = this.count();
    if (length > this.#bytes.length - this.#at) throw new CorruptEntry(`it says that ${length} follow`);
    return length;
  }

  signed(): number {
    const value = this.count();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  hex(size: number): string {
    this.#at += size;
    if (this.#at > this.#bytes.length) throw new CorruptEntry("it ends within an id");
    return readHex(this.#bytes, this.#at - size, size);
  }

  text(): string {
    const text = this.#texts[this.count()];
    if (text === undefined) throw new CorruptEntry("a text is missing");
    return text;
  }

  /** What was to be read has been. */
  end(): void {
    if (this.#at !== this.#bytes.readUInt32LE(textsAt)) throw new CorruptEntry("it holds more than it says");
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

/**
 * Reads an entry whole. A reader stops instead of guessing.
 * @throws OtherVersionEntry when another version wrote it, CorruptEntry when none can have.
 */
export function readWhole<Entry>(
  payload: Uint8Array,
  { oldest, newest }: EntryVersions,
  log: string,
  read: (reader: EntryReader, arrivedAtMs: number) => Entry,
): Entry {
  const found = payload[0] ?? 0;
  const isRead = found >= oldest && found <= newest;
  if (!isRead && found > 0 && found <= newest + versionsAheadMax) {
    const versions = oldest === newest ? `version ${newest}` : `versions ${oldest} to ${newest}`;
    throw new OtherVersionEntry(
      `${log} log: entry of version ${found}, this Burnwatch reads ${versions}: start the version that wrote it and let it finish`,
    );
  }
  try {
    if (!isRead) throw new CorruptEntry(`it begins with ${found} instead of a version`);
    const arrivedAtMs = arrivedAtMsOf(payload);
    if (!(arrivedAtMs >= 0 && arrivedAtMs <= Number.MAX_SAFE_INTEGER)) throw new CorruptEntry("it has no time");
    const reader = new EntryReader(payload);
    const entry = read(reader, arrivedAtMs);
    reader.end();
    return entry;
  } catch (error) {
    // Reading past the end, and lists that hold each other without end.
    if (!(error instanceof CorruptEntry || error instanceof RangeError)) throw error;
    const reason = error instanceof CorruptEntry ? error.message : "it ends too early";
    throw new CorruptEntry(`${log} log: a corrupt entry of ${payload.length} bytes: ${reason}`, { cause: error });
  }
}
