/**
 * ClickHouse's Native format: a block of columns, which the engine takes over as they are, where a text format costs it
 * a parse of every value. https://clickhouse.com/docs/en/interfaces/formats/Native
 */

import { setImmediate } from "node:timers/promises";

/** The values of one column, in the order of the rows. */
export interface NativeColumn<Row> {
  append(rows: readonly Row[], from: number, to: number): void;
  /** What the format has after the column's name and type. */
  finish(): readonly Uint8Array[];
}

/** A column of a kind of block: the type as ClickHouse spells it, and what writes the values. */
export interface ColumnType<Row> {
  readonly type: string;
  readonly open: (rows: number) => NativeColumn<Row>;
}

/** Rows that are written column by column before the next ones: few enough to stay in the processor's cache. */
const rowsAtOnce = 256;
/** Rows after which the event loop gets its turn: some 10 ms. */
const rowsPerTurn = 2048;

/** One block. Equal rows give equal bytes. @throws Error for a value that its column cannot hold. */
export async function encodeBlock<Row>(
  columns: readonly (ColumnType<Row> & { readonly name: string })[],
  rows: readonly Row[],
): Promise<Buffer> {
  const opened = columns.map((column) => column.open(rows.length));
  for (let from = 0; from < rows.length; from += rowsAtOnce) {
    if (from > 0 && from % rowsPerTurn === 0) await setImmediate();
    const to = Math.min(from + rowsAtOnce, rows.length);
    for (const column of opened) column.append(rows, from, to);
  }
  const head = new Bytes(20);
  head.varint(columns.length);
  head.varint(rows.length);
  const pieces: Uint8Array[] = [head.written()];
  for (const [index, column] of opened.entries()) {
    const title = new Bytes(100);
    title.string(columns[index]?.name ?? "");
    title.string(columns[index]?.type ?? "");
    pieces.push(title.written(), ...column.finish());
  }
  return Buffer.concat(pieces);
}

/** Beyond it a decimal of 18 digits would not hold the number. Whole numbers below it fit 64 bits. */
const magnitudeMax = 1e18;

/** Whole numbers: `Int64`, or ticks of a decimal or of a time. */
export function int64<Row>(type: string, read: (row: Row) => number): ColumnType<Row> {
  return {
    type,
    open: (count) => {
      const bytes = new Bytes(8 * count);
      return {
        append: (rows, from, to) => {
          bytes.reserve(8 * (to - from));
          for (let row = from; row < to; row++) bytes.int64(read(rows[row] as Row));
        },
        finish: () => [bytes.written()],
      };
    },
  };
}

/** 16 hex digits as `UInt64`, "" as 0. */
export function uint64OfHex<Row>(read: (row: Row) => string): ColumnType<Row> {
  return {
    type: "UInt64",
    open: (count) => {
      const bytes = Buffer.alloc(8 * count);
      return {
        append: (rows, from, to) => {
          for (let row = from; row < to; row++) {
            const digits = read(rows[row] as Row);
            if (digits === "") continue;
            // Both refuse what is no number of 32 bits.
            bytes.writeUInt32LE(Number.parseInt(digits.slice(8), 16), 8 * row);
            bytes.writeUInt32LE(Number.parseInt(digits.slice(0, 8), 16), 8 * row + 4);
          }
        },
        finish: () => [bytes],
      };
    },
  };
}

/** A byte for every row, 1 for null, then the values. */
export function nullableInt64<Row>(type: string, read: (row: Row) => number | null): ColumnType<Row> {
  return {
    type: `Nullable(${type})`,
    open: (count) => {
      const nulls = new Uint8Array(count);
      const values = int64(type, (row: Row) => read(row) ?? 0).open(count);
      return {
        append: (rows, from, to) => {
          for (let row = from; row < to; row++) if (read(rows[row] as Row) === null) nulls[row] = 1;
          values.append(rows, from, to);
        },
        finish: () => [nulls, ...values.finish()],
      };
    },
  };
}

/** Numbers as they are, with every bit. */
export function float64<Row>(read: (row: Row) => number): ColumnType<Row> {
  return {
    type: "Float64",
    open: (count) => {
      const bytes = Buffer.alloc(8 * count);
      return {
        append: (rows, from, to) => {
          for (let row = from; row < to; row++) bytes.writeDoubleLE(read(rows[row] as Row), 8 * row);
        },
        finish: () => [bytes],
      };
    },
  };
}

/** Whole numbers of one or two bytes. */
export function smallInt<Row>(type: "Int8" | "UInt16", read: (row: Row) => number): ColumnType<Row> {
  return {
    type,
    open: (count) => {
      const bytes = Buffer.alloc(type === "Int8" ? count : 2 * count);
      return {
        append: (rows, from, to) => {
          // Both refuse what does not fit.
          if (type === "Int8") for (let row = from; row < to; row++) bytes.writeInt8(read(rows[row] as Row), row);
          else for (let row = from; row < to; row++) bytes.writeUInt16LE(read(rows[row] as Row), 2 * row);
        },
        finish: () => [bytes],
      };
    },
  };
}

/** A column of `String`: length and UTF-8 bytes. */
export function string<Row>(read: (row: Row) => string): ColumnType<Row> {
  return {
    type: "String",
    open: (count) => {
      const bytes = new Bytes(20 * count);
      return {
        append: (rows, from, to) => {
          for (let row = from; row < to; row++) bytes.string(read(rows[row] as Row));
        },
        finish: () => [bytes.written()],
      };
    },
  };
}

/** Text of at most `length` bytes, filled up with zeros. */
export function fixedString<Row>(length: number, read: (row: Row) => string): ColumnType<Row> {
  return {
    type: `FixedString(${length})`,
    open: (count) => {
      const bytes = new Bytes(length * count);
      return {
        append: (rows, from, to) => {
          for (let row = from; row < to; row++) bytes.fixedString(length, read(rows[row] as Row));
        },
        finish: () => [bytes.written()],
      };
    },
  };
}

/** `LowCardinality(String)`: every distinct text once, then the place of each row's. */
export function dictionary<Row>(read: (row: Row) => string): ColumnType<Row> {
  return {
    type: "LowCardinality(String)",
    open: (count) => {
      const texts = new Dictionary(count);
      return {
        append: (rows, from, to) => {
          for (let row = from; row < to; row++) texts.add(read(rows[row] as Row));
        },
        finish: () => [dictionaryVersion(), ...texts.finish()],
      };
    },
  };
}

/** `Array(LowCardinality(String))`: where each row's texts end, then all of them. */
export function dictionaryArray<Row>(read: (row: Row) => readonly string[]): ColumnType<Row> {
  return {
    type: "Array(LowCardinality(String))",
    open: (count) => {
      const ends = new Bytes(8 * count);
      const texts = new Dictionary(0);
      return {
        append: (rows, from, to) => {
          ends.reserve(8 * (to - from));
          for (let row = from; row < to; row++) {
            for (const text of read(rows[row] as Row)) texts.add(text);
            ends.int64(texts.size);
          }
        },
        finish: () => [dictionaryVersion(), ends.written(), ...texts.finish()],
      };
    },
  };
}

/** It precedes a dictionary, also one in an array: version 1, keys that come with the block. */
function dictionaryVersion(): Uint8Array {
  const bytes = new Bytes(8);
  bytes.int64(1);
  return bytes.written();
}

/** Added to the width of the places: the block has keys of its own, and they are all of them. */
const ownKeys = 0x600;

class Dictionary {
  /** How many texts were added. */
  size = 0;
  #places: Uint32Array;
  readonly #keys = new Map<string, number>();
  #last = "";
  #lastPlace = -1;

  constructor(count: number) {
    this.#places = new Uint32Array(count);
  }

  add(text: string): void {
    // Neighbours often share their text.
    if (text !== this.#last || this.#lastPlace < 0) {
      let place = this.#keys.get(text);
      if (place === undefined) {
        place = this.#keys.size;
        this.#keys.set(text, place);
      }
      this.#last = text;
      this.#lastPlace = place;
    }
    if (this.size === this.#places.length) this.#grow();
    this.#places[this.size++] = this.#lastPlace;
  }

  #grow(): void {
    const larger = new Uint32Array(2 * this.size + 100);
    larger.set(this.#places);
    this.#places = larger;
  }

  /** Nothing at all where there are no texts, as in a block of empty arrays. */
  finish(): readonly Uint8Array[] {
    if (this.size === 0) return [];
    const keys = this.#keys.size;
    // Typed arrays have the byte order of the machine, which is the format's on all that Node.js is built for but s390x.
    const places =
      keys <= 0x100 ? new Uint8Array(this.#places) : keys <= 0x1_0000 ? new Uint16Array(this.#places) : this.#places;
    const bytes = new Bytes(100 + 20 * keys);
    bytes.reserve(16);
    bytes.int64(ownKeys + Math.log2(places.BYTES_PER_ELEMENT));
    bytes.int64(keys);
    for (const key of this.#keys.keys()) bytes.string(key);
    bytes.reserve(8);
    bytes.int64(this.size);
    return [bytes.written(), new Uint8Array(places.buffer, 0, this.size * places.BYTES_PER_ELEMENT)];
  }
}

/** Strings up to this length are copied here, character by character: a call into the runtime would cost more. */
const copiedLengthMax = 64;
/** Bytes that a UTF-16 unit becomes at most. */
const unitBytesMax = 3;

/** Bytes that grow. What does not call `reserve` itself says so. */
class Bytes {
  #bytes: Buffer;
  #view: DataView;
  #length = 0;

  constructor(expected: number) {
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(expected, 8));
    this.#view = new DataView(this.#bytes.buffer);
  }

  written(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }

  /** Of a whole number, in space that is reserved. Two halves are cheaper than a BigInt, and as exact. */
  int64(value: number): void {
    if (!Number.isInteger(value) || Math.abs(value) >= magnitudeMax)
      throw new Error(`${value} is not a whole number of at most 18 digits`);
    this.#view.setInt32(this.#length, value | 0, true);
    this.#view.setInt32(this.#length + 4, Math.floor(value / 0x1_0000_0000), true);
    this.#length += 8;
  }

  /** In space that is reserved. */
  varint(value: number): void {
    let left = value;
    while (left >= 0x80) {
      this.#bytes[this.#length++] = (left % 0x80) | 0x80;
      left = Math.floor(left / 0x80);
    }
    this.#bytes[this.#length++] = left;
  }

  /** Its length in bytes, then itself. Reserves. */
  string(text: string): void {
    this.reserve(10 + unitBytesMax * text.length);
    const before = this.#length;
    if (text.length <= copiedLengthMax && this.#copyAscii(text, before + 1)) {
      this.#bytes[before] = text.length;
      return;
    }
    this.varint(Buffer.byteLength(text));
    this.#length += this.#bytes.write(text, this.#length);
  }

  /** Reserves. */
  fixedString(length: number, text: string): void {
    this.reserve(length);
    const end = this.#length + length;
    if (text.length !== length || !this.#copyAscii(text, this.#length)) {
      const bytes = Buffer.from(text);
      if (bytes.length > length) throw new Error(`"${text}" has more than ${length} bytes`);
      this.#bytes.fill(0, this.#length, end);
      this.#bytes.set(bytes, this.#length);
    }
    this.#length = end;
  }

  /** Whether the text was ASCII and stands there now. Other text is left to the encoder: lone surrogates become U+FFFD. */
  #copyAscii(text: string, at: number): boolean {
    const bytes = this.#bytes;
    for (let index = 0; index < text.length; index++) {
      const unit = text.charCodeAt(index);
      if (unit >= 0x80) return false;
      bytes[at + index] = unit;
    }
    this.#length = at + text.length;
    return true;
  }
}
