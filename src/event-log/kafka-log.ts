/**
 * One partition of a Kafka topic as a log, for one consumer. What it is about to read is held in memory, up to a bound
 * beyond which nothing more is fetched; when it asks for what lies before, it is fetched again. An entry's offset is
 * Kafka's plus one, so that 0 is before all of them.
 */

import type { LogEntry, LogReader } from "./event-log.ts";
import { type Fetched, type KafkaClient, KafkaOutOfRange, type KafkaReader, KafkaUnavailable } from "./kafka-client.ts";

export interface KafkaLogOptions {
  readonly client: KafkaClient;
  readonly topic: string;
  readonly partition: number;
  /** Kafka's offset of the first record that is kept, for who asks for what lies before it. */
  readonly start?: number;
  /** Bytes held in memory at most, beside those of one fetch. */
  readonly heldBytesMax?: number;
  /** Told of each failed fetch; it is tried again until it succeeds. */
  readonly failed?: (error: Error) => void;
  /** Told of what was deleted before it was read, once; whoever begins at 0 has missed nothing. */
  readonly gone?: (gone: GoneOffsets) => void;
}

/** Offsets of Kafka: of records, and of ends of transactions, which cannot be told from them any more. */
export interface GoneOffsets {
  readonly topic: string;
  readonly partition: number;
  readonly from: number;
  /** The first that is kept. */
  readonly to: number;
}

const heldBytesMaxDefault = 16 * 1024 * 1024;
const fetchBytesMax = 4 * 1024 * 1024;
const waitMs = 500;
const retryMinMs = 100;
const retryMaxMs = 5000;

export class KafkaLog implements LogReader {
  readonly #options: KafkaLogOptions;
  readonly #reader: KafkaReader;
  /** In order, without what lies up to `#heldAfter`: all there is from there to `#nextOffset`. */
  #held: LogEntry[] = [];
  #heldBytes = 0;
  #heldAfter = 0;
  /** Kafka's offset of the next record to fetch. */
  #nextOffset = 0;
  /** What is gone up to here was told. */
  #goneTo = 0;
  #fetching: Promise<Fetched> | undefined;
  #closed = false;

  private constructor(options: KafkaLogOptions, reader: KafkaReader) {
    this.#options = options;
    this.#reader = reader;
  }

  static async open(options: KafkaLogOptions): Promise<KafkaLog> {
    const { client, topic, partition } = options;
    return new KafkaLog(options, await client.reader(topic, partition));
  }

  async read(offset: number, limit: number): Promise<readonly LogEntry[]> {
    const after = this.#goTo(offset);
    for (;;) {
      const entries = this.#heldFrom(after, limit);
      if (entries.length > 0) {
        this.#fetchAhead();
        return entries;
      }
      // One that is under way may have been asked before the entry was there.
      await this.#fetching?.catch(() => undefined);
      if (this.lastOffset() > after) continue;
      const { nextOffset, endOffset } = await this.#fetch(0);
      if (nextOffset >= endOffset && this.lastOffset() <= after) return [];
    }
  }

  async waitFor(offset: number, signal: AbortSignal): Promise<void> {
    const after = this.#goTo(offset);
    const aborted = Promise.withResolvers<void>();
    const abort = () => aborted.resolve();
    signal.addEventListener("abort", abort, { once: true });
    while (this.lastOffset() <= after && !signal.aborted) await Promise.race([this.#fetch(waitMs), aborted.promise]);
    signal.removeEventListener("abort", abort);
  }

  async trim(offset: number): Promise<void> {
    if (offset <= this.#heldAfter) return;
    const gone = this.#held.splice(0, this.#indexAfter(offset));
    for (const { payload } of gone) this.#heldBytes -= payload.length;
    this.#heldAfter = Math.min(offset, this.#nextOffset);
  }

  lastOffset(): number {
    return this.#held.at(-1)?.offset ?? this.#heldAfter;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#reader.close();
  }

  /** Lets what is held begin after this offset, if it does not reach there. @returns it, or the start of what is kept. */
  #goTo(offset: number): number {
    const after = Math.max(offset, this.#options.start ?? 0);
    if (after >= this.#heldAfter && after <= this.#nextOffset) {
      // Whoever asks has read what lies before; it is kept for asking again only while there is room.
      if (this.#isFull()) void this.trim(after);
      return after;
    }
    this.#held = [];
    this.#heldBytes = 0;
    this.#heldAfter = after;
    this.#nextOffset = after;
    this.#fetching = undefined;
    return after;
  }

  #heldFrom(after: number, limit: number): readonly LogEntry[] {
    const from = this.#indexAfter(after);
    return this.#held.slice(from, from + limit);
  }

  /** Index of the first entry held with an offset above this one. */
  #indexAfter(offset: number): number {
    let [low, high] = [0, this.#held.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#held[middle]?.offset ?? 0) <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #isFull(): boolean {
    return this.#heldBytes >= (this.#options.heldBytesMax ?? heldBytesMaxDefault);
  }

  #fetchAhead(): void {
    if (this.#isFull() || this.#closed) return;
    this.#fetch(waitMs).catch(() => undefined);
  }

  /** Joins the fetch that is under way, or begins one. */
  #fetch(wait: number): Promise<Fetched> {
    if (this.#closed) return Promise.reject(new Error(`${this.#options.topic} is closed`));
    if (this.#fetching !== undefined) return this.#fetching;
    const fetching = this.#fetchUntilDone(wait).then((fetched) => {
      // Meanwhile the consumer may have gone elsewhere.
      if (this.#fetching === fetching) {
        this.#fetching = undefined;
        this.#hold(fetched);
      }
      return fetched;
    });
    fetching.catch(() => {
      if (this.#fetching === fetching) this.#fetching = undefined;
    });
    this.#fetching = fetching;
    return fetching;
  }

  #hold({ records, nextOffset }: Fetched): void {
    for (const { offset, value } of records) {
      this.#held.push({ offset: offset + 1, payload: value });
      this.#heldBytes += value.length;
    }
    this.#nextOffset = nextOffset;
  }

  async #fetchUntilDone(wait: number): Promise<Fetched> {
    const offset = this.#nextOffset;
    for (let retryMs = retryMinMs; ; retryMs = Math.min(retryMs * 2, retryMaxMs)) {
      try {
        return await this.#fetchKept(offset, wait);
      } catch (error) {
        if (!(error instanceof KafkaUnavailable) || this.#closed) throw error;
        this.#options.failed?.(error);
        await new Promise((resolve) => setTimeout(resolve, retryMs));
      }
    }
  }

  /** From that offset, or from the first that is kept: what retention has deleted cannot be waited for. */
  async #fetchKept(offset: number, wait: number): Promise<Fetched> {
    const { client, topic, partition, gone } = this.#options;
    try {
      return await this.#reader.fetch({ offset, bytesMax: fetchBytesMax, waitMs: wait });
    } catch (error) {
      if (!(error instanceof KafkaOutOfRange)) throw error;
      const start = await client.startOffset(topic, partition);
      if (start <= offset)
        throw new KafkaOutOfRange(
          `${topic}/${partition} does not reach to ${offset} any more: it was cut or made anew; choose another kafka.prefix`,
          { cause: error },
        );
      const from = Math.max(offset, this.#goneTo);
      this.#goneTo = Math.max(start, this.#goneTo);
      if (offset > 0 && from < start) gone?.({ topic, partition, from, to: start });
      return this.#fetchKept(start, wait);
    }
  }
}
