/** Waiting for a group of consumers to have done with what stands in a topic now. */

import { setTimeout } from "node:timers/promises";
import type { Commit, KafkaClient, KafkaReader } from "./kafka-client.ts";

/** At first, and in the end: who is behind by hours is not asked ten times a second. */
const [askEveryMs, askEveryMsMax] = [100, 2000];
const fetchBytesMax = 65_536;

/**
 * Resolves once the group has come, in every partition, to where the topic ends now. What is committed there but hidden by
 * a transaction that is still open counts: the end is the high watermark. Rejects when `signal` aborts.
 */
export async function untilConsumed(
  client: KafkaClient,
  group: string,
  topic: string,
  signal: AbortSignal,
): Promise<void> {
  const waiting = new Map<number, PartitionWait>();
  for (const [partition, end] of await client.highWatermarks(topic))
    waiting.set(partition, new PartitionWait(client, { topic, partition, end }));
  // Of groups that have read nothing yet. Whoever falls behind what is kept while he is waited for is asked about anew.
  const starts = await client.startOffsets(topic);
  try {
    for (let waitMs = askEveryMs; ; waitMs = Math.min(waitMs * 1.5, askEveryMsMax)) {
      const committed = await client.committed(group, topic);
      const asked = Array.from(waiting, async ([partition, wait]) => {
        if (await wait.isOver(committed.get(partition)?.offset ?? starts.get(partition) ?? 0))
          waiting.delete(partition);
      });
      for (const one of await Promise.allSettled(asked)) if (one.status === "rejected") throw one.reason;
      if (waiting.size === 0) return;
      if (signal.aborted) throw new Error(`${group} is behind in ${topic}: ${behind(waiting, committed)}`);
      await setTimeout(waitMs, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    await Promise.all(Array.from(waiting.values(), (wait) => wait.close()));
  }
}

function behind(waiting: ReadonlyMap<number, PartitionWait>, committed: ReadonlyMap<number, Commit>): string {
  const lines = Array.from(
    waiting,
    ([partition, { end }]) => `partition ${partition} at ${committed.get(partition)?.offset} of ${end}`,
  );
  return lines.join(", ");
}

/**
 * What the group has to come to in one partition. Before the end there may be nothing but the ends of transactions, and
 * what was not committed: no group gets there, so the next record is looked for, over a connection that is kept.
 */
class PartitionWait {
  readonly end: number;
  readonly #client: KafkaClient;
  readonly #topic: string;
  readonly #partition: number;
  #reader: KafkaReader | undefined;
  /** Everything before it was looked at, and is no record that the group has not read. */
  #next = 0;
  /** Whether a record stands there. */
  #found = false;

  constructor(
    client: KafkaClient,
    { topic, partition, end }: { readonly topic: string; readonly partition: number; readonly end: number },
  ) {
    this.#client = client;
    this.#topic = topic;
    this.#partition = partition;
    this.end = end;
  }

  /** @param from where the group reads on. */
  async isOver(from: number): Promise<boolean> {
    if (from < this.end && this.#found && from <= this.#next) return false;
    this.#next = Math.max(this.#next, from);
    this.#found = false;
    while (this.#next < this.end && !this.#found) {
      this.#reader ??= await this.#client.reader(this.#topic, this.#partition);
      const fetched = await this.#reader.fetch({ offset: this.#next, bytesMax: fetchBytesMax, waitMs: 0 });
      const first = fetched.records[0]?.offset;
      // Up to a transaction that is still open: what stands behind its beginning is not known yet.
      if (first === undefined && fetched.nextOffset <= this.#next) return false;
      this.#found = first !== undefined && first < this.end;
      this.#next = first ?? fetched.nextOffset;
    }
    if (this.#found) return false;
    await this.close();
    return true;
  }

  async close(): Promise<void> {
    const reader = this.#reader;
    this.#reader = undefined;
    await reader?.close();
  }
}
