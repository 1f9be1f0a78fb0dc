/**
 * One worker for each partition that a group gives to this process. A worker that fails is opened again while the
 * partition is ours. Two processes may believe for a moment that they own a partition: their logs keep them apart.
 */

import { groupLag, type PartitionLag } from "./group-lag.ts";
import { type KafkaClient, KafkaFenced, type KafkaMembership } from "./kafka-client.ts";
import { OtherVersionEntry } from "./unreadable-entry.ts";

export interface PartitionWorker {
  /** Rejects when it can no longer go on. */
  readonly failed: Promise<unknown>;
  stop(): Promise<void>;
}

export interface OwnedPartitionsOptions {
  readonly client: KafkaClient;
  readonly group: string;
  readonly topic: string;
  readonly open: (partition: number) => Promise<PartitionWorker>;
  /** Told of each failure; the partition is opened again after that time. */
  readonly failed: (partition: number, error: Error, retryInMs: number) => void;
  /** Told that the group does not take this process any more, which owns nothing then; it joins again after that time. */
  readonly outside?: (error: Error, retryInMs: number) => void;
}

const retryMs = 1000;
/** Whoever was fenced may not know yet that the partition is another's: a heartbeat will tell. */
const fencedRetryMs = 5000;
/** Another version will be started for it, and then it is dealt anew. */
const otherVersionRetryMs = 10_000;

export class OwnedPartitions {
  readonly #options: OwnedPartitionsOptions;
  readonly #owned = new Map<number, AbortController>();
  readonly #running = new Map<number, Promise<void>>();
  #membership: KafkaMembership | undefined;
  #stopped = false;
  #outside: string | null = null;

  constructor(options: OwnedPartitionsOptions) {
    this.#options = options;
  }

  /** Joins the group; partitions are opened as they are dealt. */
  async start(): Promise<void> {
    const { client, group, topic } = this.#options;
    this.#membership = await client.join(group, topic, {
      assigned: (partitions) => {
        this.#outside = null;
        this.#own(partitions);
      },
      outside: (error, retryInMs) => {
        this.#outside = error.message;
        this.#options.outside?.(error, retryInMs);
      },
    });
  }

  /** Stops the workers, then leaves: others begin where these ended. */
  async stop(): Promise<void> {
    this.#own([]);
    this.#stopped = true;
    await Promise.all(this.#running.values());
    await this.#membership?.leave();
  }

  /** How far the group is behind in those that are ours. */
  async lag(): Promise<readonly PartitionLag[]> {
    const { client, group, topic } = this.#options;
    return (await groupLag(client, group, topic)).filter(({ partition }) => this.#owned.has(partition));
  }

  /** Why this process is not in its group any more; null while it is. */
  outside(): string | null {
    return this.#outside;
  }

  /** Those that are ours now. */
  partitions(): readonly number[] {
    return [...this.#owned.keys()];
  }

  #own(partitions: readonly number[]): void {
    // A group may deal anew until we have left it.
    if (this.#stopped) return;
    for (const [partition, stopping] of this.#owned) {
      if (partitions.includes(partition)) continue;
      this.#owned.delete(partition);
      stopping.abort();
    }
    for (const partition of partitions) {
      if (this.#owned.has(partition)) continue;
      const stopping = new AbortController();
      this.#owned.set(partition, stopping);
      // What was ours before must have let go of its files.
      const before = this.#running.get(partition) ?? Promise.resolve();
      const running = before.then(() => this.#work(partition, stopping.signal));
      this.#running.set(partition, running);
    }
  }

  async #work(partition: number, signal: AbortSignal): Promise<void> {
    const stopped = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    while (!signal.aborted) {
      try {
        const worker = await this.#options.open(partition);
        const ended = Promise.race([worker.failed, stopped]);
        await ended.finally(() => worker.stop());
      } catch (error) {
        if (signal.aborted) return;
        const wait = waitAfter(error);
        this.#options.failed(partition, error as Error, wait);
        await Promise.race([stopped, new Promise((resolve) => setTimeout(resolve, wait))]);
      }
    }
  }
}

function waitAfter(error: unknown): number {
  if (error instanceof OtherVersionEntry) return otherVersionRetryMs;
  return error instanceof KafkaFenced ? fencedRetryMs : retryMs;
}
