/** Calls of a cluster as they are resolved: the usage topic from its ends, while somebody follows. */

import type { ServerResponse } from "node:http";
import type { KafkaClient } from "../event-log/kafka-client.ts";
import { KafkaLog } from "../event-log/kafka-log.ts";
import { CorruptEntry, OtherVersionEntry } from "../event-log/unreadable-entry.ts";
import { RequestError } from "../http/answer.ts";
import { TailHub } from "../http/tail-hub.ts";
import { tailLine } from "../http/tail-line.ts";
import { decodeUsageEntry } from "../ingest/usage-codec.ts";
import type { UsageRecord } from "../model/usage-record.ts";

export interface ClusterTailOptions {
  readonly client: KafkaClient;
  /** The usage topic. */
  readonly topic: string;
  /** Told of whatever ends the reading; followers are cut off and come again. */
  readonly failed: (error: Error) => void;
}

const followersMax = 32;
const entriesPerRead = 16;
/** Of each partition; who reads more slowly than calls arrive skips lines, this process does not fill up. */
const heldBytesMax = 4 * 1024 * 1024;

/** Reads without a group, what is committed alone, and from no partition while nobody follows. */
export class ClusterTail {
  readonly #options: ClusterTailOptions;
  readonly #hub = new TailHub<UsageRecord>({
    line: tailLine,
    followersMax,
    left: (followers) => {
      if (followers === 0) void this.#stop();
    },
  });
  #reading: Promise<Reading> | undefined;

  constructor(options: ClusterTailOptions) {
    this.#options = options;
  }

  /** @throws RequestError where the topic cannot be read. */
  async follow(response: ServerResponse): Promise<void> {
    this.#reading ??= this.#start();
    const reading = this.#reading;
    await reading.catch((error: Error) => {
      if (this.#reading === reading) this.#reading = undefined;
      throw new RequestError(503, `cannot follow calls: ${error.message}`, "see burnwatch doctor");
    });
    if (!response.destroyed) this.#hub.follow(response);
    else if (this.#hub.followers() === 0) await this.#stop();
  }

  async close(): Promise<void> {
    this.#hub.close();
    await this.#stop();
  }

  async #start(): Promise<Reading> {
    const { client, topic } = this.#options;
    const ends = await client.endOffsets(topic);
    if (ends.size === 0) throw new Error(`there is no topic ${topic}`);
    const logs = await openAll(client, topic, ends);
    const stopping = new AbortController();
    const done = Promise.all(logs.map(({ log, end }) => this.#publish(log, end, stopping.signal)))
      .catch((error: Error) => {
        if (stopping.signal.aborted) return;
        this.#reading = undefined;
        this.#options.failed(error);
        this.#hub.close();
      })
      .finally(() => Promise.allSettled(logs.map(({ log }) => log.close())));
    return { stopping, done };
  }

  async #publish(log: KafkaLog, end: number, signal: AbortSignal): Promise<void> {
    for (let after = end; !signal.aborted; ) {
      await log.waitFor(after, signal);
      if (signal.aborted) return;
      for (const { offset, payload } of await log.read(after, entriesPerRead)) {
        this.#hub.publish(recordsIn(payload));
        after = offset;
      }
    }
  }

  async #stop(): Promise<void> {
    const reading = this.#reading;
    this.#reading = undefined;
    const { stopping, done } = (await reading?.catch(() => undefined)) ?? {};
    stopping?.abort();
    await done;
  }
}

interface Reading {
  readonly stopping: AbortController;
  /** Once it has ended and its connections are closed. */
  readonly done: Promise<unknown>;
}

async function openAll(client: KafkaClient, topic: string, ends: ReadonlyMap<number, number>) {
  const opened = await Promise.allSettled(
    Array.from(ends, async ([partition, end]) => ({
      log: await KafkaLog.open({ client, topic, partition, heldBytesMax }),
      end,
    })),
  );
  const logs = opened.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  const failed = opened.find((one) => one.status === "rejected");
  if (failed === undefined) return logs;
  await Promise.allSettled(logs.map(({ log }) => log.close()));
  throw failed.reason;
}

/** Whoever stores the log puts aside what nobody can read, or waits for another version. */
function recordsIn(payload: Uint8Array): readonly UsageRecord[] {
  try {
    return decodeUsageEntry(payload).records;
  } catch (error) {
    if (error instanceof CorruptEntry || error instanceof OtherVersionEntry) return [];
    throw error;
  }
}
