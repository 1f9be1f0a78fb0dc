/** What the parts of a cluster do with what nobody can read: entries go among the dead letters, states are made again. */

import type { Logger } from "pino";
import type { UnreadableEntry } from "../detection/judge.ts";
import { deadLetterMessages, type LetterSource, type ParkedEntry } from "../event-log/dead-letter.ts";
import type { KafkaMessage } from "../event-log/kafka-client.ts";
import { topicsOf } from "../event-log/kafka-topics.ts";
import type { Metrics } from "../http/metrics.ts";
import { layoutOf, now, type PartOptions } from "./parts.ts";

/** Counts entries that were put aside, and says why. */
export function entryParked(metrics: Metrics, log: Logger) {
  return ({ topic, partition }: Omit<LetterSource, "offset">, parked: readonly ParkedEntry[]): void => {
    metrics.deadLetters.inc({ topic }, parked.length);
    for (const { offset, reason } of parked)
      log.error({ topic, partition, offset: offset - 1, reason }, "an entry was put aside: see burnwatch dead-letter");
  };
}

/** The letter of an entry that cannot be read, told in the transaction that moves past it; none where it was told before. */
export function lettersOf(
  { config, metrics, log }: PartOptions,
  stageLog: { toldOffset(): number },
  at: Omit<LetterSource, "offset">,
) {
  const { deadLetters } = topicsOf(layoutOf(config));
  const said = entryParked(metrics, log);
  return (unreadable: UnreadableEntry | null, offset: number): readonly KafkaMessage[] => {
    if (unreadable === null || offset <= stageLog.toldOffset()) return [];
    const parked = [{ ...unreadable, offset, parkedAtMs: now() }];
    said(at, parked);
    return deadLetterMessages(deadLetters, at, parked);
  };
}

/** Says that a state is lost. What it was made of is read again as far as it is kept, and nothing is told twice. */
export function snapshotUnreadable(role: string, log: Logger) {
  return (name: string, error: Error): void =>
    log.error(
      { role, snapshot: name, error: error.message },
      "a snapshot cannot be read: it is made again of what the topic still has",
    );
}
