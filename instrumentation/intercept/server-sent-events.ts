/**
 * Server-sent events out of a stream of bytes (WHATWG HTML, 9.2.6). Bytes are kept as they came, so that an event can
 * be taken out of the stream and everything else passed on unchanged.
 */

export interface RawEvent {
  /** The event's bytes with the blank line that ends it. */
  readonly bytes: Buffer;
  /** Its `data` lines joined by a line feed; "" where it has none (comments, keep-alives). */
  readonly data: string;
}

export interface EventSplitter {
  /** Events that are whole after these bytes, in order. */
  write(chunk: Uint8Array): RawEvent[];
  /** Bytes of an event that has not ended; the splitter is empty afterwards. */
  rest(): Buffer;
  /** True once an event grew beyond the limit: from then on nothing is split. */
  readonly overflowed: boolean;
}

const empty: Buffer = Buffer.alloc(0);

/** A splitter that holds at most `eventBytesMax` bytes of an unfinished event. */
export function splitEvents(eventBytesMax = 16_777_216): EventSplitter {
  let held: Buffer = empty;
  let scanned = 0;
  let overflowed = false;
  return {
    get overflowed() {
      return overflowed;
    },
    write(chunk) {
      const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      // The chunk is copied where it stays: its owner may detach or reuse it after this call.
      held = held.length === 0 ? Buffer.from(bytes) : Buffer.concat([held, bytes]);
      const events: RawEvent[] = [];
      let start = 0;
      for (let end = endOfEvent(held, scanned); end !== -1; end = endOfEvent(held, start)) {
        const raw = held.subarray(start, end);
        events.push({ bytes: raw, data: dataOf(raw.toString("utf8")) });
        start = end;
      }
      held = start === held.length ? empty : held.subarray(start);
      scanned = Math.max(0, held.length - 3);
      if (held.length > eventBytesMax) overflowed = true;
      return events;
    },
    rest() {
      const bytes = held;
      held = empty;
      scanned = 0;
      return bytes;
    },
  };
}

const lf = 10;
const cr = 13;

/** Index after the first blank line at or after `from`, or -1. Lines end with LF, CR LF or CR. */
function endOfEvent(bytes: Buffer, from: number): number {
  for (let at = nextLineEnd(bytes, from); at !== -1; at = nextLineEnd(bytes, at + 1)) {
    const afterFirst = bytes[at] === cr && bytes[at + 1] === lf ? at + 2 : at + 1;
    const next = bytes[afterFirst];
    if (next === lf) return afterFirst + 1;
    if (next === cr) return bytes[afterFirst + 1] === lf ? afterFirst + 2 : afterFirst + 1;
  }
  return -1;
}

function nextLineEnd(bytes: Buffer, from: number): number {
  const feed = bytes.indexOf(lf, from);
  // A lone CR as line end is rare; the search for it is bounded by the next LF.
  const limit = feed === -1 ? bytes.length : feed;
  const carriage = bytes.subarray(from, limit).indexOf(cr);
  return carriage === -1 ? feed : from + carriage;
}

function dataOf(text: string): string {
  if (text.startsWith("data: ") && text.indexOf("\n") >= text.trimEnd().length) return text.slice(6).trimEnd();
  const lines: string[] = [];
  for (const line of text.split(/\r\n|\r|\n/)) {
    if (!line.startsWith("data:")) continue;
    lines.push(line.charAt(5) === " " ? line.slice(6) : line.slice(5));
  }
  return lines.join("\n");
}
