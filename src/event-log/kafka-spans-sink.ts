/**
 * The collector's side of the spans topic: what arrives while a request is under way shares the next one. A producer
 * that failed is replaced, since its sequence may have a hole; what it may have appended is sent again by the exporter and
 * told from the first by its ids.
 */

import type { KafkaClient, KafkaMessage, KafkaProducer } from "./kafka-client.ts";
import type { PartitionEntry } from "./usage-log.ts";

interface Waiting {
  readonly messages: readonly KafkaMessage[];
  readonly done: () => void;
  readonly fail: (error: Error) => void;
}

const requestBytesMax = 8 * 1024 * 1024;

export class KafkaSpansSink {
  readonly #client: KafkaClient;
  readonly #topic: string;
  #waiting: Waiting[] = [];
  #producer: Promise<KafkaProducer> | undefined;
  #sending: Promise<void> | undefined;

  constructor(client: KafkaClient, topic: string) {
    this.#client = client;
    this.#topic = topic;
  }

  /** Resolves when every in-sync copy has all of them. How much may wait is the caller's to bound. */
  append(entries: readonly PartitionEntry[]): Promise<void> {
    const messages = entries.map(({ partition, payload }) => ({ topic: this.#topic, partition, value: payload }));
    return new Promise((done, fail) => {
      this.#waiting.push({ messages, done, fail });
      this.#sending ??= this.#send();
    });
  }

  async close(): Promise<void> {
    await this.#sending;
    await (await this.#producer?.catch(() => undefined))?.close();
  }

  async #send(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#take();
      try {
        this.#producer ??= this.#client.producer();
        await (await this.#producer).send(batch.flatMap(({ messages }) => messages));
        for (const { done } of batch) done();
      } catch (error) {
        for (const { fail } of batch) fail(error as Error);
        const failed = this.#producer;
        this.#producer = undefined;
        await failed?.then((producer) => producer.close()).catch(() => undefined);
      }
    }
    // In the same turn as the look at what waits: whoever appends later begins anew.
    this.#sending = undefined;
  }

  /** At least one, and as many as one request should hold. */
  #take(): Waiting[] {
    let bytes = 0;
    const count = this.#waiting.findIndex(({ messages }) => {
      bytes += messages.reduce((sum, { value }) => sum + value.length, 0);
      return bytes > requestBytesMax;
    });
    return this.#waiting.splice(0, count === -1 ? this.#waiting.length : Math.max(1, count));
  }
}
