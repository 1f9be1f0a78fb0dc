/**
 * How kafkajs writes a batch of records, made in one piece. The library writes it as lists within lists, each copied into a
 * buffer of the next power of two that is cleared first.
 *
 * Format: Kafka's record batch, magic 2 (kafka.apache.org/documentation, 5.3).
 */

import { createRequire } from "node:module";
import { crc32c } from "./crc32c.ts";

/** What the library's encoder is made of. */
interface Encoder {
  buf: Buffer;
  offset: number;
}

interface EncoderClass {
  new (size: number): Encoder;
  readonly prototype: { ensureAvailable(this: Encoder, length: number): void };
}

interface LongClass {
  /** Of its own kind, a number, or the text of one. */
  fromValue(value: unknown): { readonly value: bigint };
}

interface Batch {
  readonly compression?: number;
  readonly firstTimestamp?: number;
  readonly maxTimestamp?: number;
  readonly partitionLeaderEpoch?: number;
  readonly lastOffsetDelta?: number;
  readonly transactional?: boolean;
  readonly producerId?: unknown;
  readonly producerEpoch?: number;
  readonly firstSequence?: number;
  readonly records?: readonly Encoder[];
}

interface Codec {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>;
}

const require = createRequire(import.meta.url);
const EncoderOf = require("kafkajs/src/protocol/encoder.js") as EncoderClass;
const Long = require("kafkajs/src/utils/long.js") as LongClass;
const { lookupCodec, COMPRESSION_CODEC_MASK } = require("kafkajs/src/protocol/message/compression/index.js") as {
  lookupCodec(compression: number): Codec | null;
  COMPRESSION_CODEC_MASK: number;
};

const magic = 2;
const transactionalBit = 16;
/** Where the parts of a batch stand. */
const at = { length: 8, epoch: 12, magic: 16, crc: 17, attributes: 21, records: 61 } as const;

/** A batch as the broker takes it. */
async function recordBatch(batch: Batch): Promise<Encoder> {
  const { compression = 0, records = [], transactional = false } = batch;
  const codec = lookupCodec(compression);
  const plain = joined(records);
  const body = codec === null ? plain : await codec.compress({ buffer: plain });
  const bytes = Buffer.allocUnsafe(at.records + body.length);
  bytes.fill(0, 0, at.length);
  bytes.writeInt32BE(bytes.length - at.epoch, at.length);
  bytes.writeInt32BE(batch.partitionLeaderEpoch ?? 0, at.epoch);
  bytes[at.magic] = magic;
  const attributes = (compression & COMPRESSION_CODEC_MASK) | (transactional ? transactionalBit : 0);
  let next = bytes.writeInt16BE(attributes, at.attributes);
  next = bytes.writeInt32BE(batch.lastOffsetDelta ?? 0, next);
  next = bytes.writeBigInt64BE(BigInt(batch.firstTimestamp ?? Date.now()), next);
  next = bytes.writeBigInt64BE(BigInt(batch.maxTimestamp ?? Date.now()), next);
  next = bytes.writeBigInt64BE(Long.fromValue(batch.producerId ?? -1).value, next);
  next = bytes.writeInt16BE(batch.producerEpoch ?? 0, next);
  next = bytes.writeInt32BE(batch.firstSequence ?? 0, next);
  bytes.writeInt32BE(records.length, next);
  bytes.set(body, at.records);
  bytes.writeUInt32BE(crc32c(bytes, at.attributes), at.crc);
  const encoder = new EncoderOf(1);
  encoder.buf = bytes;
  encoder.offset = bytes.length;
  return encoder;
}

function joined(records: readonly Encoder[]): Buffer {
  const bytes = Buffer.allocUnsafe(records.reduce((sum, { offset }) => sum + offset, 0));
  let end = 0;
  for (const { buf, offset } of records) {
    buf.copy(bytes, end, 0, offset);
    end += offset;
  }
  return bytes;
}

/** Makes room as the library does, in memory that is written before it is read, so that nobody needs to clear it. */
function ensureAvailable(this: Encoder, length: number): void {
  const needed = this.offset + length;
  if (needed <= this.buf.length) return;
  const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.buf.length));
  this.buf.copy(larger, 0, 0, this.offset);
  this.buf = larger;
}

/** Lets kafkajs write batches so, for all of its clients in this process. The library loads its own with the first one. */
export function useRecordBatch(): void {
  const path = require.resolve("kafkajs/src/protocol/recordBatch/v0/index.js");
  const library = require(path) as { readonly MAGIC_BYTE: number };
  const module = require.cache[path];
  if (module === undefined || library.MAGIC_BYTE !== magic)
    throw new Error("kafkajs is not the version that this was written for");
  module.exports = { ...library, RecordBatch: recordBatch };
  EncoderOf.prototype.ensureAvailable = ensureAvailable;
}
