/** How far a group is behind in its topic. */

import type { KafkaClient } from "./kafka-client.ts";

export interface PartitionLag {
  readonly partition: number;
  /** Where the group reads on; null where it has not begun. */
  readonly offset: number | null;
  /** How far it can be read now. */
  readonly endOffset: number;
  /** From one to the other. Ends of transactions count as well, so that it is an upper bound. */
  readonly records: number;
}

/** Of each partition, in their order. Two questions to the brokers, and a third where one was not begun. */
export async function groupLag(client: KafkaClient, group: string, topic: string): Promise<readonly PartitionLag[]> {
  const [ends, committed] = await Promise.all([client.endOffsets(topic), client.committed(group, topic)]);
  const begun = [...ends.keys()].every((partition) => committed.has(partition));
  const starts: ReadonlyMap<number, number> = begun ? new Map() : await client.startOffsets(topic);
  return Array.from(ends, ([partition, endOffset]) => {
    const offset = committed.get(partition)?.offset ?? null;
    const from = offset ?? starts.get(partition) ?? 0;
    return { partition, offset, endOffset, records: Math.max(0, endOffset - from) };
  }).sort((a, b) => a.partition - b.partition);
}

const fetchBytesMax = 65_536;
/** Entries that only tell the time are small and many; who is behind by more of them is behind. */
const lookedAtMax = 4096;

/**
 * What `tell` says of the first record that a group has not read and that it says anything of; undefined where nothing is
 * there but ends of transactions and what it passes over.
 */
export async function findUnread<Told>(
  client: KafkaClient,
  topic: string,
  { partition, offset, endOffset }: PartitionLag,
  tell: (record: Uint8Array) => Told | undefined,
): Promise<Told | undefined> {
  const reader = await client.reader(topic, partition);
  try {
    // What is no longer kept cannot be read.
    let at = Math.max(offset ?? 0, await client.startOffset(topic, partition));
    for (let lookedAt = 0; at < endOffset && lookedAt < lookedAtMax; ) {
      const { records, nextOffset } = await reader.fetch({ offset: at, bytesMax: fetchBytesMax, waitMs: 0 });
      for (const { value } of records) {
        const told = tell(value);
        if (told !== undefined) return told;
      }
      if (nextOffset <= at) return undefined;
      lookedAt += records.length;
      at = nextOffset;
    }
    return undefined;
  } finally {
    await reader.close();
  }
}
