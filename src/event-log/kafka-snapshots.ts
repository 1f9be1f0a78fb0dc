/**
 * Large values in a topic that keeps the last message of each key: in chunks, and in one of two places by turns, so that
 * one that was not finished leaves the one before whole. Where a value lies is remembered elsewhere (`SnapshotPlace`).
 */

import { randomBytes } from "node:crypto";
import { deserialize, serialize } from "node:v8";
import { crc32 } from "node:zlib";
import type { KafkaClient, KafkaMessage } from "./kafka-client.ts";
import { CorruptEntry } from "./unreadable-entry.ts";

export interface SnapshotPlace {
  /** Of its chunks, in hex. */
  readonly id: string;
  /** Offsets of the first and the last chunk. */
  readonly first: number;
  readonly last: number;
  readonly chunks: number;
  /** Which of the two places it has. */
  readonly turn: 0 | 1;
  /** CRC-32 of all of its bytes; those of before have none. */
  readonly crc?: number;
}

export interface SnapshotTopic {
  readonly client: KafkaClient;
  readonly topic: string;
  readonly partition: number;
}

const idBytes = 8;
const chunkBytes = 1024 * 1024;
const chunksPerCommit = 8;
const fetchBytesMax = 8 * 1024 * 1024;
const waitMs = 200;
const endWithinMs = 5000;

/**
 * Writes a value under a name. @param commit appends messages, whole or not at all, and gives their offsets.
 * @param before where the last value of this name is.
 */
export async function writeSnapshot(
  { topic, partition }: Omit<SnapshotTopic, "client">,
  { name, value, before }: { readonly name: string; readonly value: unknown; readonly before?: SnapshotPlace },
  commit: (messages: readonly KafkaMessage[]) => Promise<readonly number[]>,
): Promise<SnapshotPlace> {
  const id = randomBytes(idBytes);
  const turn = before?.turn === 0 ? 1 : 0;
  const bytes = serialize(value);
  const chunks = Math.max(1, Math.ceil(bytes.length / chunkBytes));
  let [first, last] = [-1, -1];
  for (let from = 0; from < chunks; from += chunksPerCommit) {
    const count = Math.min(chunksPerCommit, chunks - from);
    const messages = Array.from({ length: count }, (_, index) => ({
      topic,
      partition,
      key: `${name}/${turn}/${from + index}`,
      value: Buffer.concat([id, bytes.subarray((from + index) * chunkBytes, (from + index + 1) * chunkBytes)]),
    }));
    const offsets = await commit(messages);
    if (first === -1) first = offsets[0] ?? -1;
    last = offsets.at(-1) ?? -1;
  }
  return { id: id.toString("hex"), first, last, chunks, turn, crc: crc32(bytes) };
}

/**
 * The value at a place.
 * @throws CorruptEntry where what is there is not what was written, or was overwritten meanwhile: whoever asks again learns
 * where it is then.
 */
export async function readSnapshot(
  { client, topic, partition }: SnapshotTopic,
  place: SnapshotPlace,
): Promise<unknown> {
  const where = `a snapshot of ${topic}/${partition} at ${place.first}`;
  const chunks = await chunksOf({ client, topic, partition }, place);
  if (chunks.length < place.chunks)
    throw new CorruptEntry(`${where}: ${chunks.length} of ${place.chunks} chunks are there`);
  const bytes = Buffer.concat(chunks.slice(0, place.chunks));
  if (place.crc !== undefined && crc32(bytes) !== place.crc) throw new CorruptEntry(`${where}: its checksum is wrong`);
  try {
    return deserialize(bytes);
  } catch (error) {
    throw new CorruptEntry(`${where}: ${(error as Error).message}`, { cause: error });
  }
}

async function chunksOf({ client, topic, partition }: SnapshotTopic, place: SnapshotPlace): Promise<Uint8Array[]> {
  const id = Buffer.from(place.id, "hex");
  const chunks: Uint8Array[] = [];
  const start = await client.startOffset(topic, partition);
  const reader = await client.reader(topic, partition);
  const deadline = performance.now() + endWithinMs;
  try {
    for (let offset = Math.max(start, place.first); offset <= place.last; ) {
      const { records, nextOffset, endOffset } = await reader.fetch({ offset, bytesMax: fetchBytesMax, waitMs });
      for (const { value } of records) if (id.equals(value.subarray(0, idBytes))) chunks.push(value.subarray(idBytes));
      // The end may be marked a moment after the commit; in a topic that was made anew it never will.
      if (nextOffset === offset && offset >= endOffset && performance.now() > deadline) break;
      offset = nextOffset;
    }
  } finally {
    await reader.close();
  }
  return chunks;
}
