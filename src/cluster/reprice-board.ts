/**
 * What is known of re-pricing in a cluster: the one that was asked for last, how far each partition of the spans is with
 * it, and whether it is written down. A topic that keeps the last word of each, followed from its beginning.
 */

import type { KafkaClient, KafkaRecord } from "../event-log/kafka-client.ts";
import { repriceShareKey } from "../event-log/kafka-topics.ts";
import { OtherVersionEntry } from "../event-log/unreadable-entry.ts";
import type { RepriceJob } from "../repricing/reprice-job.ts";

type Word =
  | { readonly version: 1; readonly kind: "asked"; readonly job: RepriceJob }
  | { readonly version: 1; readonly kind: "share"; readonly partition: number; readonly job: RepriceJob }
  | { readonly version: 1; readonly kind: "audited"; readonly id: string };

export interface RepriceBoardOptions {
  readonly client: KafkaClient;
  /** The topic of re-pricings. */
  readonly topic: string;
  /** Of the spans topic. */
  readonly partitions: number;
}

const fetchBytesMax = 1024 * 1024;
const lookEveryMs = 500;
const freshMs = 1500;

export class RepriceBoard {
  readonly #options: RepriceBoardOptions;
  readonly #shares = new Map<number, RepriceJob>();
  #asked: RepriceJob | undefined;
  #audited = "";
  #offset = 0;
  #reading: Promise<void> = Promise.resolve();
  #readAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: RepriceBoardOptions) {
    this.#options = options;
  }

  /** The one that was asked for last. */
  asked(): RepriceJob | undefined {
    return this.#asked;
  }

  /** The last one that a partition has begun. */
  share(partition: number): RepriceJob | undefined {
    return this.#shares.get(partition);
  }

  /** The one that was asked for last, as far as all partitions are with it; undefined where none was ever. */
  sum(): RepriceJob | undefined {
    const asked = this.#asked;
    if (asked === undefined) return undefined;
    const shares = this.#begun();
    const add = (amounts: readonly string[]) => amounts.reduce((sum, amount) => sum + BigInt(amount), 0n).toString();
    const corrected = shares.reduce((sum, { cursorUs, sinceUs }) => sum + cursorUs - sinceUs, 0);
    const done = this.#audited === asked.id;
    return {
      ...asked,
      finishedAtMs: done ? Math.max(0, ...shares.map(({ finishedAtMs }) => finishedAtMs ?? 0)) : null,
      cursorUs: asked.sinceUs + Math.floor(corrected / this.#options.partitions),
      calls: shares.reduce((sum, { calls }) => sum + calls, 0),
      beforeNanoUsd: add(shares.map(({ beforeNanoUsd }) => beforeNanoUsd)),
      afterNanoUsd: add(shares.map(({ afterNanoUsd }) => afterNanoUsd)),
    };
  }

  /** Partitions that have begun with what was asked for last, and those that have finished. */
  progress(): { readonly begun: number; readonly finished: number } {
    const shares = this.#begun();
    return { begun: shares.length, finished: shares.filter(({ finishedAtMs }) => finishedAtMs !== null).length };
  }

  /** Reads what stands in the topic when it is asked. */
  read(): Promise<void> {
    this.#readAtMs = performance.now();
    this.#reading = this.#reading.catch(() => undefined).then(() => this.#readOn());
    return this.#reading;
  }

  /** Reads unless it has read a moment ago: several who follow it ask the brokers once. */
  lately(): Promise<void> {
    const fresh = performance.now() - this.#readAtMs < freshMs;
    return fresh ? this.#reading : this.read();
  }

  /** Reads again and again until it is so, or the time is over. @returns whether it is. */
  async until(isSo: () => boolean, withinMs: number): Promise<boolean> {
    for (let leftMs = withinMs; ; leftMs -= lookEveryMs) {
      await this.read();
      if (isSo() || leftMs <= 0) return isSo();
      await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
    }
  }

  #begun(): readonly RepriceJob[] {
    return [...this.#shares.values()].filter(({ id }) => id === this.#asked?.id);
  }

  async #readOn(): Promise<void> {
    const { client, topic } = this.#options;
    const end = (await client.endOffsets(topic)).get(0);
    if (end === undefined) throw new Error(`there is no topic ${topic}: a resolver of this version makes it`);
    if (this.#offset >= end) return;
    const reader = await client.reader(topic, 0);
    try {
      let at = Math.max(this.#offset, await client.startOffset(topic, 0));
      while (at < end) {
        const fetched = await reader.fetch({ offset: at, bytesMax: fetchBytesMax, waitMs: lookEveryMs });
        for (const record of fetched.records) this.#take(record);
        if (fetched.nextOffset <= at) break;
        at = fetched.nextOffset;
      }
      this.#offset = at;
    } finally {
      await reader.close();
    }
  }

  #take({ value }: KafkaRecord): void {
    const word = JSON.parse(Buffer.from(value).toString()) as Word;
    if (word.version !== 1)
      throw new OtherVersionEntry(`a re-pricing of version ${word.version}, and this process knows version 1`);
    if (word.kind === "asked") this.#asked = word.job;
    else if (word.kind === "share") this.#shares.set(word.partition, word.job);
    else this.#audited = word.id;
  }
}

/** Words as messages of the topic. */
export const repriceWords = {
  asked: (topic: string, job: RepriceJob) => message(topic, "asked", { version: 1, kind: "asked", job }),
  audited: (topic: string, id: string) => message(topic, "audited", { version: 1, kind: "audited", id }),
  share: (partition: number, job: RepriceJob) =>
    message("", repriceShareKey(partition), { version: 1, kind: "share", partition, job }).value,
};

function message(topic: string, key: string, word: Word) {
  return { topic, partition: 0, key, value: Buffer.from(JSON.stringify(word)) };
}
