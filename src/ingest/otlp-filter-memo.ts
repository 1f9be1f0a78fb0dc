/** What a span filter decided, remembered per attribute key, so that a key costs a comparison of bytes and no string. */

import type { Span } from "../model/span.ts";
import type { AttributeReduction, SpanFilter } from "./decoded-export.ts";

/** Distinct keys remembered per filter; a flood of invented keys makes it start over, never grow. */
const keysMax = 4096;
/** A power of two. Two keys of one slot only cost time. */
const slotsMax = 2048;
/** No convention has keys this long; longer ones are dropped unasked. */
const keyBytesMax = 256;

/** The body of a request, for whole texts and for comparisons. */
export interface BodyBytes {
  readonly buffer: Buffer;
  /** Of the same bytes. */
  readonly view: DataView;
}

/** A key on the allow-list. */
export interface KeptKey {
  /** One shared string. */
  readonly name: string;
  /** What is left of a value that is no number; undefined where values are kept whole. */
  readonly reduce: AttributeReduction | undefined;
}

interface Slot {
  readonly length: number;
  readonly bytes: DataView;
  readonly kept: KeptKey | null;
  /** The slot of the key that followed this one last time: SDKs write the same keys in the same order. */
  next: number;
  /** The last short text under this key, which is often the next one too: it costs a comparison and no string. */
  readonly textBytes: DataView;
  textLength: number;
  text: string;
}

/** Longer texts are not remembered. */
const textBytesMax = 48;

export class FilterMemo {
  readonly #filter: SpanFilter;
  readonly #names = new Map<string, KeptKey | null>();
  readonly #slots: (Slot | undefined)[] = new Array<Slot | undefined>(slotsMax).fill(undefined);
  #last: Slot = newSlot(Buffer.alloc(0), null);
  /** True while the filter runs: what it throws is its own fault, not that of the bytes being decoded. */
  asking = false;

  constructor(filter: SpanFilter) {
    this.#filter = filter;
  }

  /** The kept key, or null when attributes of this name are dropped. */
  keyOfText(key: string): KeptKey | null {
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    // Assigning `__proto__` would change an object instead of adding a property.
    const short = Buffer.byteLength(key) <= keyBytesMax;
    const asked = short && key !== "" && key !== "__proto__";
    this.asking = true;
    const keeps = asked && this.#filter.keepsAttribute(key);
    this.asking = false;
    const kept = keeps === false ? null : { name: key, reduce: keeps === true ? undefined : keeps };
    if (this.#names.size >= keysMax) this.#names.clear();
    if (short) this.#names.set(key, kept);
    return kept;
  }

  /** Like `keyOfText` for the UTF-8 bytes `start` to `end`. */
  keyOfBytes({ buffer, view }: BodyBytes, start: number, end: number): KeptKey | null {
    const length = end - start;
    if (length > keyBytesMax) return null;
    const guess = this.#slots[this.#last.next];
    if (guess !== undefined && guess.length === length && holds(guess.bytes, view, start, length)) {
      this.#last = guess;
      return guess.kept;
    }
    const slot = slotOf(buffer, start, length);
    let found = this.#slots[slot];
    if (found === undefined || found.length !== length || !holds(found.bytes, view, start, length)) {
      const kept = this.keyOfText(buffer.toString("utf8", start, end));
      found = newSlot(buffer.subarray(start, end), kept);
      this.#slots[slot] = found;
    }
    this.#last.next = slot;
    this.#last = found;
    return found.kept;
  }

  /** The UTF-8 bytes `start` to `end` as a string; they are a value of the key that was asked for last. */
  textOf({ buffer, view }: BodyBytes, start: number, end: number): string {
    const length = end - start;
    if (length > textBytesMax) return buffer.toString("utf8", start, end);
    const slot = this.#last;
    if (slot.textLength === length && holds(slot.textBytes, view, start, length)) return slot.text;
    for (let i = 0; i < length; i++) slot.textBytes.setUint8(i, buffer[start + i] ?? 0);
    slot.textLength = length;
    slot.text = buffer.toString("utf8", start, end);
    return slot.text;
  }

  keepsSpan(span: Span): boolean {
    this.asking = true;
    const keeps = this.#filter.keepsSpan(span);
    this.asking = false;
    return keeps;
  }
}

const memos = new WeakMap<SpanFilter, FilterMemo>();

/** The memo of a filter; it lives as long as the filter. */
export function memoOf(filter: SpanFilter): FilterMemo {
  const known = memos.get(filter);
  if (known !== undefined) {
    known.asking = false;
    return known;
  }
  const memo = new FilterMemo(filter);
  memos.set(filter, memo);
  return memo;
}

/** FNV-1a over the key. */
function slotOf(buffer: Buffer, start: number, length: number): number {
  let hash = 0x811c9dc5 ^ length;
  for (let i = start; i < start + length; i++) hash = Math.imul(hash ^ (buffer[i] ?? 0), 0x01000193);
  return (hash ^ (hash >>> 15)) & (slotsMax - 1);
}

function newSlot(key: Uint8Array, kept: KeptKey | null): Slot {
  const bytes = new DataView(Uint8Array.from(key).buffer);
  const textBytes = new DataView(new ArrayBuffer(textBytesMax));
  return { length: key.length, bytes, kept, next: 0, textBytes, textLength: -1, text: "" };
}

/** Compares four bytes at a time; the last four overlap with those before. */
function holds(known: DataView, body: DataView, start: number, length: number): boolean {
  if (length < 4) {
    for (let i = 0; i < length; i++) if (known.getUint8(i) !== body.getUint8(start + i)) return false;
    return true;
  }
  const last = length - 4;
  for (let i = 0; i < last; i += 4) if (known.getInt32(i) !== body.getInt32(start + i)) return false;
  return known.getInt32(last) === body.getInt32(start + last);
}
