/** Waiting for a group of consumers to have done with what stands in a topic now. */

import { setTimeout } from "node:timers/promises";
import type { Commit, KafkaClient } from "./kafka-client.ts";

/** At first, and in the end: who is behind by hours is not asked ten times a second. */
const [askEveryMs, askEveryMsMax] = [100, 2000];

/** Resolves once the group has come, in every partition, to where the topic ends now. Rejects when `signal` aborts. */
export async function untilConsumed(
  client: KafkaClient,
  group: string,
  topic: string,
  signal: AbortSignal,
): Promise<void> {
  const ends = new Map(await client.endOffsets(topic));
  for (let waitMs = askEveryMs; ; waitMs = Math.min(waitMs * 1.5, askEveryMsMax)) {
    const committed = await client.committed(group, topic);
    for (const [partition, end] of ends) {
      const offset = committed.get(partition)?.offset ?? 0;
      if (offset >= end || !(await hasRecords(client, { topic, partition, offset, end }))) ends.delete(partition);
    }
    if (ends.size === 0) return;
    if (signal.aborted) throw new Error(`${group} is behind in ${topic}: ${behind(ends, committed)}`);
    await setTimeout(waitMs, undefined, { signal }).catch(() => undefined);
  }
}

function behind(ends: ReadonlyMap<number, number>, committed: ReadonlyMap<number, Commit>): string {
  const lines = Array.from(
    ends,
    ([partition, end]) => `partition ${partition} at ${committed.get(partition)?.offset} of ${end}`,
  );
  return lines.join(", ");
}

interface Range {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly end: number;
}

/** Before the end there may be nothing but the ends of transactions, and what was not committed: no group gets there. */
async function hasRecords(client: KafkaClient, { topic, partition, offset, end }: Range): Promise<boolean> {
  const reader = await client.reader(topic, partition);
  try {
    for (let at = Math.max(offset, await client.startOffset(topic, partition)); at < end; ) {
      const { records, nextOffset, endOffset } = await reader.fetch({ offset: at, bytesMax: 65_536, waitMs: 0 });
      if (records.length > 0) return (records[0]?.offset ?? end) < end;
      if (nextOffset >= endOffset) return false;
      at = nextOffset;
    }
    return false;
  } finally {
    await reader.close();
  }
}
