/** A remembered span as 52 bytes. */

import { readHex, writeHex } from "./hex-id.ts";
import type { SeenSpan } from "./usage-log.ts";

export const seenSpanBytes = 52;
const noParent = "0".repeat(16);

/** Spans one after another, by default all. */
export function encodeSeenSpans(spans: readonly SeenSpan[], from = 0, to = spans.length): Buffer {
  // From Node's pool: memory of its own would cost more than all that is written into it.
  const bytes = Buffer.allocUnsafe((to - from) * seenSpanBytes);
  for (let index = from; index < to; index++)
    encodeSeenSpan(spans[index] as SeenSpan, bytes, (index - from) * seenSpanBytes);
  return bytes;
}

/** Writes one span where there is room for it. */
export function encodeSeenSpan(span: SeenSpan, bytes: Buffer, at: number): void {
  writeHex(bytes, at, 8, span.spanId);
  writeHex(bytes, at + 8, 8, span.parentSpanId === "" ? noParent : span.parentSpanId);
  bytes.writeDoubleLE(span.startUs, at + 16);
  bytes.writeDoubleLE(span.endUs, at + 24);
  bytes.writeInt32LE(span.contentHash, at + 32);
  bytes.writeInt32LE(span.responseHash, at + 36);
  bytes.writeInt32LE(span.callHash, at + 40);
  bytes.writeUInt16LE(span.modelHash, at + 44);
  bytes.writeUInt16LE(span.emitterHash, at + 46);
  bytes.writeUInt16LE(span.revision, at + 48);
  bytes[at + 50] = span.rank;
  bytes[at + 51] = span.bits;
}

/** The span that begins at `at`. */
export function decodeSeenSpan(bytes: Buffer, at: number): SeenSpan {
  const parent = readHex(bytes, at + 8, 8);
  return {
    spanId: readHex(bytes, at, 8),
    parentSpanId: parent === noParent ? "" : parent,
    startUs: bytes.readDoubleLE(at + 16),
    endUs: bytes.readDoubleLE(at + 24),
    contentHash: bytes.readInt32LE(at + 32),
    responseHash: bytes.readInt32LE(at + 36),
    callHash: bytes.readInt32LE(at + 40),
    modelHash: bytes.readUInt16LE(at + 44),
    emitterHash: bytes.readUInt16LE(at + 46),
    revision: bytes.readUInt16LE(at + 48),
    rank: bytes[at + 50] ?? 0,
    bits: bytes[at + 51] ?? 0,
    place: -1,
  };
}
