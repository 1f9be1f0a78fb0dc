/**
 * Completeness in a cluster: each resolver sees some of a producer's numbers, and one of the processes with the API adds
 * up what all of them hand on.
 */

import { setTimeout } from "node:timers/promises";
import { readable, type UnreadableEntry } from "../detection/judge.ts";
import type { LogEntry } from "../event-log/event-log.ts";
import type { KafkaMessage } from "../event-log/kafka-client.ts";
import { KafkaStageLog, savedMark } from "../event-log/kafka-stage-log.ts";
import { groupNames, topicsOf } from "../event-log/kafka-topics.ts";
import type { OwnedPartitions, PartitionWorker } from "../event-log/owned-partitions.ts";
import { Completeness, type CompletenessState, completenessLimits } from "../ingest/completeness.ts";
import { addNumbers } from "../ingest/producer-numbers.ts";
import { failedIn, fetchFailed, layoutOf, measured, now, type PartOptions } from "./parts.ts";
import { lettersOf, snapshotUnreadable } from "./unreadable.ts";

interface Accounts {
  /** Entries up to here are in it. */
  readonly offset: number;
  readonly state: CompletenessState;
}

const groupName = groupNames.completeness;
const accountsMark = "accounts";
const shareMark = "share";
/** A cluster has more producers than a machine. */
const limits = { ...completenessLimits, producersMax: 20_000 };
const entriesPerRead = 256;
const saveEveryMs = 1000;
/** Saving takes at most this share of the time. */
const savingShareMax = 0.5;
const lingerMs = 100;

/** Numbers topic to accounts; one of all processes with the API has the one partition. */
export function openAccounts(options: PartOptions): OwnedPartitions {
  const { config, log, client, metrics } = options;
  return measured(
    { metrics, log },
    {
      client,
      group: `${config.kafkaPrefix}.${groupName}`,
      topic: topicsOf(layoutOf(config)).numbers,
      open: (partition) => openAccount(options, partition),
      failed: failedIn(groupName, log),
    },
  );
}

/** Share of the numbered records that arrived, as it was saved last; null where none is numbered. */
export async function savedCompleteness(options: Pick<PartOptions, "config" | "client">): Promise<number | null> {
  return ((await savedMark(placeOf(options, 0), shareMark)) as number | null | undefined) ?? null;
}

async function openAccount(options: PartOptions, partition: number): Promise<PartitionWorker> {
  const stageLog = await KafkaStageLog.open({
    ...placeOf(options, partition),
    paceNow: null,
    lingerMs,
    fetchFailed: fetchFailed(options.log),
    unreadable: snapshotUnreadable(groupName, options.log),
  });
  const letters = lettersOf(options, stageLog, { topic: topicsOf(layoutOf(options.config)).numbers, partition });
  const stopping = new AbortController();
  const running = account(stageLog, letters, stopping.signal);
  return {
    failed: Promise.race([running, stageLog.failed]),
    async stop() {
      stopping.abort();
      await running.catch(() => undefined);
      await stageLog.close();
    },
  };
}

/** The place moves once what was read can be asked for. */
async function account(
  stageLog: KafkaStageLog,
  letters: ReturnType<typeof lettersOf>,
  signal: AbortSignal,
): Promise<void> {
  const saved = stageLog.mark(accountsMark) as Accounts | undefined;
  const completeness = new Completeness(saved?.state, limits);
  let [offset, nextSaveMs] = [saved?.offset ?? 0, 0];
  let aside: KafkaMessage[] = [];
  while (!signal.aborted) {
    await stageLog.entries.waitFor(offset, signal);
    if (signal.aborted) return;
    const read = await stageLog.entries.read(offset, entriesPerRead);
    for (const entry of read) {
      aside.push(...letters(added(completeness, entry), entry.offset));
      offset = entry.offset;
    }
    if (read.length === 0 || (read.length === entriesPerRead && now() < nextSaveMs)) continue;
    const startedMs = now();
    await stageLog.saveMark(accountsMark, { offset, state: completeness.state() } satisfies Accounts);
    await stageLog.saveMark(shareMark, completeness.share());
    await stageLog.tell(aside, { offset, atMs: 0 });
    aside = [];
    nextSaveMs = now() + Math.max(saveEveryMs, (now() - startedMs) / savingShareMax);
    await setTimeout(nextSaveMs - now(), undefined, { signal }).catch(() => undefined);
  }
}

/** @returns what no version can have written, else null. */
function added(completeness: Completeness, { payload }: LogEntry): UnreadableEntry | null {
  return readable<UnreadableEntry | null>(
    payload,
    () => {
      addNumbers(completeness, payload);
      return null;
    },
    (unreadable) => unreadable,
  );
}

function placeOf({ config, client }: Pick<PartOptions, "config" | "client">, partition: number) {
  const topics = topicsOf(layoutOf(config));
  const group = `${config.kafkaPrefix}.${groupName}`;
  return { client, group, topic: topics.numbers, partition, snapshots: topics.snapshots };
}
