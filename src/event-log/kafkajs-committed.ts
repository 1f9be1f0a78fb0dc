/**
 * Which messages of an answer were committed. kafkajs 2.2.4 filters them as well, but takes the broker's list of aborted
 * transactions for sorted by where they began, which it is not, and steps into one of them with each message: where
 * several owners were killed at once, it gives records of transactions that were undone, beside those that replaced them.
 */

export interface FetchedMessage {
  readonly offset: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly isControlRecord: boolean;
  readonly batchContext: {
    readonly firstOffset: string;
    /** From the first to the last offset of its place, which compaction leaves as it was. */
    readonly lastOffsetDelta: number;
    readonly producerId: string;
    readonly inTransaction: boolean;
  };
}

export interface AbortedTransaction {
  readonly producerId: string;
  readonly firstOffset: string;
}

/** Of a control record: its version, and that a transaction was undone. */
const abortKey = Buffer.from([0, 0, 0, 0]);

/** The messages in their order, without those of the aborted transactions and without the marks of any. */
export function committedOf<Message extends FetchedMessage>(
  messages: readonly Message[],
  aborted: readonly AbortedTransaction[] | null,
): readonly Message[] {
  const begun = (aborted ?? []).toSorted((a, b) => Number(a.firstOffset) - Number(b.firstOffset));
  const undone = new Set<string>();
  let next = 0;
  return messages.filter(({ offset, key, isControlRecord, batchContext: { producerId, inTransaction } }) => {
    for (; Number(begun[next]?.firstOffset ?? Number.POSITIVE_INFINITY) <= Number(offset); next++)
      undone.add(begun[next]?.producerId ?? "");
    if (!isControlRecord) return !(inTransaction && undone.has(producerId));
    if (key !== null && abortKey.equals(key)) undone.delete(producerId);
    return false;
  });
}
