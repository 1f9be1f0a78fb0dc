/** The letters of the dead-letter topic, for an operator: which there are, what is in them, and putting them back. */

import { type DeadLetter, decodeDeadLetter, replayedMessage } from "./dead-letter.ts";
import { type KafkaClient, KafkaFenced, type KafkaRecord } from "./kafka-client.ts";
import { groupNames, type KafkaTopics } from "./kafka-topics.ts";
import { CorruptEntry, OtherVersionEntry } from "./unreadable-entry.ts";

/** A letter without what is in it. */
export interface ListedLetter extends Omit<DeadLetter, "payload"> {
  /** Its offset in the dead-letter topic. */
  readonly id: number;
  readonly bytes: number;
  /** Unix milliseconds; null where it was not put back. */
  readonly replayedAtMs: number | null;
}

export interface Replayed {
  /** Ids that were put back now; others were before, or are unknown. */
  readonly done: readonly number[];
  /** Left where they are. */
  readonly unreadable: readonly { readonly id: number; readonly reason: string }[];
  /** Somebody else has begun meanwhile: the rest was left to them. */
  readonly takenOver: boolean;
}

export interface DeadLettersOptions {
  readonly client: KafkaClient;
  readonly prefix: string;
  readonly topics: KafkaTopics;
  readonly now: () => number;
}

/** Letters that a list tells of; of more, the newest. */
const lettersMax = 10_000;
const fetchBytesMax = 4 * 1024 * 1024;
const waitMs = 500;
/** Name of the group and transactional id of whoever puts letters back, without the prefix. */
const groupName = groupNames.deadLetter;

export class KafkaDeadLetters {
  readonly #options: DeadLettersOptions;

  constructor(options: DeadLettersOptions) {
    this.#options = options;
  }

  /** Oldest first. Messages of the topic that are no letters are passed over; one of a newer version says that it is. */
  async list(): Promise<readonly ListedLetter[]> {
    const letters = new Map<number, ListedLetter>();
    await this.#each(0, ({ offset: id, value }) => {
      const found = letterIn(value) ?? this.#newer(id, value);
      if (found === null) return true;
      if ("replayed" in found) {
        const letter = letters.get(found.replayed);
        if (letter !== undefined) letters.set(letter.id, { ...letter, replayedAtMs: found.replayedAtMs });
        return true;
      }
      const { payload, ...head } = found;
      letters.set(id, { ...head, id, bytes: payload.length, replayedAtMs: null });
      const oldest = letters.keys().next();
      if (letters.size > lettersMax && oldest.done !== true) letters.delete(oldest.value);
      return true;
    });
    return [...letters.values()];
  }

  /** A letter of a newer version, as far as it is known here; null for what is no letter. */
  #newer(id: number, value: Uint8Array): DeadLetter | null {
    try {
      decodeDeadLetter(value);
    } catch (error) {
      if (!(error instanceof OtherVersionEntry)) return null;
      const reason = `${error.message}: look at it with the version that wrote it`;
      return {
        topic: this.#options.topics.deadLetters,
        partition: 0,
        offset: id,
        reason,
        parkedAtMs: 0,
        payload: value,
      };
    }
    return null;
  }

  /** The letter of that id, undefined where there is none. */
  async read(id: number): Promise<DeadLetter | undefined> {
    let letter: DeadLetter | undefined;
    await this.#each(id, ({ offset, value }) => {
      const found = offset === id ? letterIn(value) : null;
      if (found !== null && !("replayed" in found)) letter = found;
      return false;
    });
    return letter;
  }

  /**
   * Puts letters back where they stood, each in one transaction with the word that it was: of two who try, one does.
   * @param restore what is put back. @throws CorruptEntry, OtherVersionEntry where it still cannot be read.
   */
  async replay(ids: readonly number[], restore: (letter: DeadLetter) => Uint8Array): Promise<Replayed> {
    const { client, prefix, topics, now } = this.#options;
    const group = `${prefix}.${groupName}`;
    // First: from here on nobody else puts anything back.
    const transactions = await client.transactions(group);
    const [done, unreadable]: [number[], Replayed["unreadable"][number][]] = [[], []];
    let takenOver = false;
    try {
      const waiting = await this.#waiting(new Set(ids));
      for (const id of ids) {
        const letter = waiting.delete(id) ? await this.read(id) : undefined;
        if (letter === undefined) continue;
        const restored = tryTo(() => restore(letter));
        if ("reason" in restored) {
          unreadable.push({ id, reason: restored.reason });
          continue;
        }
        const { topic, partition } = letter;
        const word = replayedMessage(topics.deadLetters, { replayed: id, replayedAtMs: now() });
        const place = { group, topic: topics.deadLetters, partition: 0, offset: id + 1, metadata: "" };
        await transactions.commit([{ topic, partition, value: restored.value }, word], place);
        done.push(id);
      }
    } catch (error) {
      if (!(error instanceof KafkaFenced)) throw error;
      takenOver = true;
    } finally {
      await transactions.close().catch(() => undefined);
    }
    return { done, unreadable, takenOver };
  }

  /** Which of these are letters that nobody has put back, however many there are besides. */
  async #waiting(asked: ReadonlySet<number>): Promise<Set<number>> {
    const waiting = new Set<number>();
    await this.#each(0, ({ offset: id, value }) => {
      const found = letterIn(value);
      if (found === null) return true;
      if ("replayed" in found) waiting.delete(found.replayed);
      else if (asked.has(id)) waiting.add(id);
      return true;
    });
    return waiting;
  }

  /** Reads from an offset until `take` says false, or to what is the end now. */
  async #each(from: number, take: (record: KafkaRecord) => boolean): Promise<void> {
    const { client, topics } = this.#options;
    if ((await client.partitions(topics.deadLetters)) === 0) return;
    const start = await client.startOffset(topics.deadLetters, 0);
    const reader = await client.reader(topics.deadLetters, 0);
    try {
      for (let offset = Math.max(from, start); ; ) {
        const { records, nextOffset, endOffset } = await reader.fetch({ offset, bytesMax: fetchBytesMax, waitMs });
        for (const record of records) if (!take(record)) return;
        if (nextOffset >= endOffset) return;
        offset = nextOffset;
      }
    } finally {
      await reader.close();
    }
  }
}

function tryTo(restore: () => Uint8Array): { readonly value: Uint8Array } | { readonly reason: string } {
  try {
    return { value: restore() };
  } catch (error) {
    if (error instanceof CorruptEntry || error instanceof OtherVersionEntry) return { reason: error.message };
    throw error;
  }
}

function letterIn(value: Uint8Array): ReturnType<typeof decodeDeadLetter> | null {
  try {
    return decodeDeadLetter(value);
  } catch {
    return null;
  }
}
