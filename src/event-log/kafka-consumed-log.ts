/**
 * A partition of the usage topic for one kind of consumer, which has a group and, for each partition, a transactional id.
 * Its mark is the metadata of the group's offset, committed in a transaction, so that the former owner of the partition
 * can mark nothing any more. Consumers of the library drop the metadata; it is read by asking for the group's offsets.
 */

import { randomBytes } from "node:crypto";
import { deadLetterMessages, type LetterSource, type ParkedEntry } from "./dead-letter.ts";
import type { KafkaClient, KafkaTransactions } from "./kafka-client.ts";
import { type GoneOffsets, KafkaLog } from "./kafka-log.ts";
import type { KafkaTopics } from "./kafka-topics.ts";
import { checkVersion, OtherVersionEntry } from "./unreadable-entry.ts";
import type { ConsumedLog, ConsumerMark } from "./usage-log.ts";

export interface KafkaConsumedOptions {
  readonly client: KafkaClient;
  readonly prefix: string;
  readonly topics: KafkaTopics;
  readonly partition: number;
  /** Name of its group, without the prefix, and of its mark. */
  readonly consumer: string;
  /** Told of each failed fetch; it is tried again until it succeeds. */
  readonly failed?: (error: Error) => void;
  /** Told of what was deleted before it was read. */
  readonly gone?: (gone: GoneOffsets) => void;
  /** Told of entries that were put aside; a consumer that is not asked for them reads on past what another puts aside. */
  readonly parked?: (at: Omit<LetterSource, "offset">, entries: readonly ParkedEntry[]) => void;
}

const version = 1;

/** Before versions differ none is written. */
interface Metadata {
  readonly version?: number;
  readonly log: string;
  readonly mark: ConsumerMark;
}

const metadataBytesMax = 4096;

export class KafkaConsumedLog implements ConsumedLog {
  readonly entries: KafkaLog;
  /** Names this partition for as long as the topic exists: another topic of the same name is another log. */
  readonly logId: string;
  /** The group has no place here: never had one, or the brokers have forgotten it. It begins with what is kept. */
  readonly hasNoPlace: boolean;
  readonly parks = true;
  readonly #options: KafkaConsumedOptions;
  readonly #transactions: KafkaTransactions;
  #mark: ConsumerMark | undefined;

  private constructor(
    options: KafkaConsumedOptions,
    transactions: KafkaTransactions,
    entries: KafkaLog,
    known: Metadata | undefined,
  ) {
    this.#options = options;
    this.#transactions = transactions;
    this.entries = entries;
    // Written with the first mark, before which nothing can have been named after it.
    this.logId = known?.log ?? `${randomBytes(5).toString("hex")}.${options.partition}`;
    this.hasNoPlace = known === undefined;
    this.#mark = known?.mark;
  }

  /** Takes the partition over from its former owner. */
  static async open(options: KafkaConsumedOptions): Promise<KafkaConsumedLog> {
    const { client, prefix, topics, partition, consumer, failed, gone } = options;
    const group = `${prefix}.${consumer}`;
    const transactions = await client.transactions(`${group}.${partition}`);
    try {
      const commit = (await client.committed(group, topics.usage)).get(partition);
      const known = commit === undefined ? undefined : consumedMetadataOf(commit.metadata, `${group} at ${partition}`);
      const told = { ...(failed === undefined ? {} : { failed }), ...(gone === undefined ? {} : { gone }) };
      // Of what lies before a place that is known, nothing may be missing unnoticed.
      const from = known === undefined ? { start: await client.startOffset(topics.usage, partition) } : {};
      const entries = await KafkaLog.open({ client, topic: topics.usage, partition, ...told, ...from });
      return new KafkaConsumedLog(options, transactions, entries, known);
    } catch (error) {
      await transactions.close();
      throw error;
    }
  }

  mark(name: string): unknown {
    this.#check(name);
    return this.#mark;
  }

  async saveMark(name: string, value: ConsumerMark, parked: readonly ParkedEntry[] = []): Promise<void> {
    this.#check(name);
    const { prefix, topics, partition, consumer } = this.#options;
    const metadata = JSON.stringify({ log: this.logId, mark: value } satisfies Metadata);
    if (metadata.length > metadataBytesMax)
      throw new Error(`the mark of ${consumer} takes ${metadata.length} bytes, and Kafka keeps ${metadataBytesMax}`);
    const group = `${prefix}.${consumer}`;
    const source = { topic: topics.usage, partition };
    const letters = deadLetterMessages(topics.deadLetters, source, parked);
    await this.#transactions.commit(letters, { group, ...source, offset: value.offset, metadata });
    this.#mark = value;
    if (parked.length > 0) this.#options.parked?.(source, parked);
  }

  async close(): Promise<void> {
    await this.entries.close();
    await this.#transactions.close().catch(() => undefined);
  }

  #check(name: string): void {
    if (name !== this.#options.consumer) throw new Error(`this log is for ${this.#options.consumer}, not ${name}`);
  }
}

/**
 * What a consumer's place says beside its number.
 * @throws OtherVersionEntry; Error where somebody else has moved the group: what is written is known by the metadata alone.
 */
export function consumedMetadataOf(text: string, where: string): Metadata {
  try {
    const { version: found = version, log, mark } = JSON.parse(text) as Metadata;
    checkVersion(`the place of group ${where}`, found, version);
    if (typeof log === "string" && Number.isSafeInteger(mark.offset)) return { log, mark };
  } catch (error) {
    if (error instanceof OtherVersionEntry) throw error;
    // Told below, as whatever else it may be.
  }
  throw new Error(
    `the place of group ${where} was not written by Burnwatch (metadata ${JSON.stringify(text.slice(0, 100))}): reset offsets lose or repeat records; choose another kafka.prefix`,
  );
}
