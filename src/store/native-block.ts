/**
 * A writer of ClickHouse's Native format, one block of columns: the engine takes it over column by column, without
 * parsing. All numbers are little-endian.
 * https://clickhouse.com/docs/en/interfaces/formats/Native
 */

/** Strings up to this length are copied here, character by character: a call into the runtime would cost more. */
const copiedLengthMax = 64;
/** Beyond it a decimal of 18 digits would not hold the number. Whole numbers below it fit 64 bits. */
const magnitudeMax = 1e18;
/** Version of a dictionary's keys: shared by the rows of this block only. */
const keysOfBlock = 1;
/** Of an index type: the block brings keys of its own, and they make a new dictionary. */
const ownKeys = 0x600;

export class NativeBlock {
  #bytes: Buffer;
  #view: DataView;
  #length = 0;
  #indexes = new Uint32Array(0);
  readonly #rows: number;

  /** `bytesExpected` saves growing; any number is right. */
  constructor({
    columns,
    rows,
    bytesExpected,
  }: {
    readonly columns: number;
    readonly rows: number;
    readonly bytesExpected: number;
  }) {
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(1024, bytesExpected));
    this.#view = new DataView(this.#bytes.buffer);
    this.#rows = rows;
    this.#reserve(20);
    this.#varint(columns);
    this.#varint(rows);
  }

  /** Begins the next column: its values follow by one of the methods below. */
  column(name: string, type: string): void {
    this.#string(name);
    this.#string(type);
  }

  /** Of whole numbers: `Int64`, `DateTime64` in its ticks. */
  int64<Row>(rows: readonly Row[], read: (row: Row) => number): void {
    this.#reserve(8 * rows.length);
    const view = this.#view;
    let at = this.#length;
    for (const row of rows) {
      const value = read(row);
      if (!Number.isInteger(value) || Math.abs(value) >= magnitudeMax) throw notStorable(value);
      view.setInt32(at, value | 0, true);
      view.setInt32(at + 4, Math.floor(value / 0x1_0000_0000), true);
      at += 8;
    }
    this.#length = at;
  }

  /** `Nullable` of a 64-bit type: a byte for each null, then the values. */
  nullableInt64<Row>(rows: readonly Row[], read: (row: Row) => number | null): void {
    this.#reserve(rows.length);
    for (const row of rows) this.#bytes[this.#length++] = read(row) === null ? 1 : 0;
    this.int64(rows, (row) => read(row) ?? 0);
  }

  int8<Row>(rows: readonly Row[], read: (row: Row) => number): void {
    this.#reserve(rows.length);
    for (const row of rows) this.#bytes[this.#length++] = read(row);
  }

  uint16<Row>(rows: readonly Row[], read: (row: Row) => number): void {
    this.#reserve(2 * rows.length);
    for (const row of rows) {
      this.#view.setUint16(this.#length, read(row), true);
      this.#length += 2;
    }
  }

  string<Row>(rows: readonly Row[], read: (row: Row) => string): void {
    for (const row of rows) this.#string(read(row));
  }

  /** @throws Error for a text longer than `bytes`; a shorter one is filled up with zeros. */
  fixedString<Row>(rows: readonly Row[], bytes: number, read: (row: Row) => string): void {
    this.#reserve((bytes + 3) * rows.length);
    for (const row of rows) {
      const text = read(row);
      const end = this.#length + bytes;
      // Three bytes are the longest that a UTF-16 unit becomes.
      if (text.length <= bytes) this.#text(text);
      if (text.length > bytes || this.#length > end) throw new Error(`"${text}" is longer than ${bytes} bytes`);
      this.#bytes.fill(0, this.#length, end);
      this.#length = end;
    }
  }

  /** `LowCardinality(String)`. */
  dictionary<Row>(rows: readonly Row[], read: (row: Row) => string): void {
    this.#int64(keysOfBlock);
    this.#dictionary(rows, read);
  }

  /** `Array(LowCardinality(String))`. */
  dictionaryArray<Row>(rows: readonly Row[], read: (row: Row) => readonly string[]): void {
    this.#int64(keysOfBlock);
    const all: string[] = [];
    const ends: number[] = [];
    for (const row of rows) {
      const texts = read(row);
      if (texts.length > 0) all.push(...texts);
      ends.push(all.length);
    }
    this.int64(ends, (end) => end);
    if (all.length > 0) this.#dictionary(all, (text) => text);
  }

  /** The whole block. The writer is not to be used again. */
  bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #dictionary<Row>(rows: readonly Row[], read: (row: Row) => string): void {
    if (this.#indexes.length < rows.length) this.#indexes = new Uint32Array(Math.max(rows.length, this.#rows));
    const indexes = this.#indexes;
    const keys = new Map<string, number>();
    let last: string | undefined;
    let index = 0;
    for (let row = 0; row < rows.length; row++) {
      const text = read(rows[row] as Row);
      if (text !== last) {
        const known = keys.get(text);
        index = known ?? keys.size;
        if (known === undefined) keys.set(text, index);
        last = text;
      }
      indexes[row] = index;
    }
    const width = keys.size <= 0x100 ? 0 : keys.size <= 0x1_0000 ? 1 : 2;
    this.#int64(ownKeys + width);
    this.#int64(keys.size);
    for (const key of keys.keys()) this.#string(key);
    this.#int64(rows.length);
    this.#reserve(rows.length << width);
    const bytes = this.#bytes;
    let at = this.#length;
    for (let row = 0; row < rows.length; row++) {
      const value = indexes[row] as number;
      bytes[at++] = value;
      if (width > 0) bytes[at++] = value >> 8;
      if (width > 1) {
        bytes[at++] = value >> 16;
        bytes[at++] = value >>> 24;
      }
    }
    this.#length = at;
  }

  #int64(value: number): void {
    this.#reserve(8);
    this.#view.setBigInt64(this.#length, BigInt(value), true);
    this.#length += 8;
  }

  /** Its length in bytes, then itself. */
  #string(text: string): void {
    this.#reserve(10 + 3 * text.length);
    if (text.length <= copiedLengthMax) {
      // An upper bound of 64 characters keeps the length in one byte for ASCII: it is written before the text is seen.
      const at = this.#length++;
      this.#text(text);
      const bytes = this.#length - at - 1;
      if (bytes < 0x80) this.#bytes[at] = bytes;
      else {
        this.#length = at;
        this.#longString(text);
      }
    } else this.#longString(text);
  }

  #longString(text: string): void {
    this.#varint(Buffer.byteLength(text));
    this.#length += this.#bytes.write(text, this.#length);
  }

  /** UTF-8, where a lone surrogate is U+FFFD. There is room for it. */
  #text(text: string): void {
    const bytes = this.#bytes;
    let at = this.#length;
    if (text.length > copiedLengthMax) at += bytes.write(text, at);
    else
      for (let index = 0; index < text.length; index++) {
        const unit = text.charCodeAt(index);
        if (unit >= 0x80) {
          at += bytes.write(text.slice(index), at);
          break;
        }
        bytes[at++] = unit;
      }
    this.#length = at;
  }

  #varint(value: number): void {
    let left = value;
    while (left >= 0x80) {
      this.#bytes[this.#length++] = (left % 0x80) | 0x80;
      left = Math.floor(left / 0x80);
    }
    this.#bytes[this.#length++] = left;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}

function notStorable(value: number): Error {
  return new Error(`${value} is not a whole number of at most 18 digits`);
}
