/**
 * A dead letter: an entry that no version can read, as it was found, with where and why. A message of the dead-letter
 * topic is a head in JSON, its length before it, and the bytes behind it; one without bytes says of an earlier letter that
 * it was put back.
 */

import type { KafkaMessage } from "./kafka-client.ts";
import { CorruptEntry, OtherVersionEntry } from "./unreadable-entry.ts";

/** An entry that was read past. */
export interface ParkedEntry {
  /** In its log. */
  readonly offset: number;
  readonly payload: Uint8Array;
  readonly reason: string;
  /** Unix milliseconds. */
  readonly parkedAtMs: number;
}

/** Where an entry stood. */
export interface LetterSource {
  readonly topic: string;
  readonly partition: number;
  /** Kafka's. */
  readonly offset: number;
}

export interface DeadLetter extends LetterSource {
  readonly reason: string;
  readonly parkedAtMs: number;
  readonly payload: Uint8Array;
}

/** Says that the letter at this offset of the dead-letter topic was put back. */
export interface ReplayedLetter {
  readonly replayed: number;
  readonly replayedAtMs: number;
}

interface Head extends Partial<LetterSource>, Partial<ReplayedLetter> {
  readonly version: number;
  readonly reason?: string;
  readonly parkedAtMs?: number;
}

const version = 1;
const lengthBytes = 4;

/** Entries put aside as messages. @param at where they stood; offsets of entries are Kafka's plus one. */
export function deadLetterMessages(
  deadLetters: string,
  at: Omit<LetterSource, "offset">,
  parked: readonly ParkedEntry[],
): readonly KafkaMessage[] {
  return parked.map(({ offset, payload, reason, parkedAtMs }) => ({
    topic: deadLetters,
    partition: 0,
    value: encode({ version, ...at, offset: offset - 1, reason, parkedAtMs }, payload),
  }));
}

/** That a letter was put back, as a message. */
export function replayedMessage(deadLetters: string, replayed: ReplayedLetter): KafkaMessage {
  return { topic: deadLetters, partition: 0, value: encode({ version, ...replayed }, new Uint8Array()) };
}

/** A message of the dead-letter topic. @throws CorruptEntry, OtherVersionEntry. */
export function decodeDeadLetter(value: Uint8Array): DeadLetter | ReplayedLetter {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const head = headOf(bytes);
  if (head.version > version)
    throw new OtherVersionEntry(`a dead letter of version ${head.version}, and ${version} is known here`);
  const { replayed, replayedAtMs = 0, topic, partition, offset, reason = "", parkedAtMs = 0 } = head;
  if (replayed !== undefined) return { replayed, replayedAtMs };
  if (topic === undefined || partition === undefined || offset === undefined)
    throw new CorruptEntry("a dead letter that does not say where it stood");
  const payload = bytes.subarray(lengthBytes + bytes.readUInt32LE(0));
  return { topic, partition, offset, reason, parkedAtMs, payload };
}

function encode(head: Head, payload: Uint8Array): Uint8Array {
  const text = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(lengthBytes);
  length.writeUInt32LE(text.length);
  return Buffer.concat([length, text, payload]);
}

function headOf(bytes: Buffer): Head {
  try {
    const head: unknown = JSON.parse(bytes.toString("utf8", lengthBytes, lengthBytes + bytes.readUInt32LE(0)));
    if (typeof head === "object" && head !== null && "version" in head) return head as Head;
  } catch {
    // Told below.
  }
  throw new CorruptEntry("no dead letter of Burnwatch");
}
