/** The alerter of a cluster: claims become incidents and alerts, in one process at a time; others stand by. */

import { AlertBook, type AlertBookState } from "../alerting/alert-book.ts";
import { Alerter, alertsMark } from "../alerting/alerter.ts";
import { incidentOf } from "../alerting/explain.ts";
import type { StoredSpend } from "../alerting/find-cause.ts";
import type { Terminal } from "../channels/terminal.ts";
import { DetectionWorker } from "../detection/detection-worker.ts";
import { encodeAccepted, type Folded, foldClaims } from "../detection/fold-claims.ts";
import type { LogReader } from "../event-log/event-log.ts";
import type { KafkaClient, KafkaMessage } from "../event-log/kafka-client.ts";
import { KafkaStageLog, savedMark } from "../event-log/kafka-stage-log.ts";
import { groupNames, topicsOf } from "../event-log/kafka-topics.ts";
import type { OwnedPartitions, PartitionWorker } from "../event-log/owned-partitions.ts";
import { untilConsumed } from "../event-log/until-consumed.ts";
import type { Marks } from "../event-log/usage-log.ts";
import { RequestError } from "../http/answer.ts";
import { encodeUsageEntry } from "../ingest/usage-codec.ts";
import type { Alert, ClaimName } from "../model/finding.ts";
import { channelsOf, noteDelivery } from "../pipeline.ts";
import { lastCallMs, spendChange } from "../query/spend-change.ts";
import type { Store } from "../store/store.ts";
import {
  closingIfFailed,
  failedIn,
  fetchFailed,
  layoutOf,
  measured,
  now,
  type PartOptions,
  writerGroup,
} from "./parts.ts";
import { lettersOf, snapshotUnreadable } from "./unreadable.ts";

/** The group of the alerters, without its prefix. */
export const alerterGroup = groupNames.alerter;
const lingerMs = 400;
const saveEveryMs = 10_000;
/** Longer than anybody waits for a cause. */
const storedWithinMs = 30_000;
/** Claims whose records are looked for in the store at a time; beyond them, they are taken for not stored. */
const askedMax = 100;
const heardWithinMs = 10_000;

export interface AlerterPart extends PartOptions {
  readonly store: Store;
  readonly terminal: Terminal;
}

/** Claims topic to channels; one of all alerters has the one partition. */
export function openAlerters(options: AlerterPart): OwnedPartitions {
  const { config, log, client } = options;
  return measured(options, {
    client,
    group: `${config.kafkaPrefix}.${alerterGroup}`,
    topic: topicsOf(layoutOf(config)).claims,
    open: (partition) => openAlerter(options, partition),
    failed: failedIn(alerterGroup, log),
  });
}

async function openAlerter(options: AlerterPart, partition: number): Promise<PartitionWorker> {
  const stageLog = await KafkaStageLog.open({
    ...placeOf(options, partition),
    paceNow: null,
    lingerMs,
    fetchFailed: fetchFailed(options.log),
    unreadable: snapshotUnreadable(alerterGroup, options.log),
  });
  return closingIfFailed([stageLog], () => alerting(options, stageLog, partition));
}

function alerting(options: AlerterPart, stageLog: KafkaStageLog, partition: number): PartitionWorker {
  const { config, log, metrics } = options;
  // A book that cannot be read is made again of the claims, from the first that are kept.
  const isAnew = stageLog.lost.has(alertsMark);
  const pastOffset = isAnew ? stageLog.toldOffset() : 0;
  let isRecalling = isAnew;
  const alerter = new Alerter({
    marks: stageLog,
    channels: channelsOf(options),
    store: spendIn(options),
    observe: (event) => noteDelivery(event, metrics, log),
  });
  const letters = lettersOf(options, stageLog, { topic: topicsOf(layoutOf(config)).claims, partition });
  const worker = new DetectionWorker<Folded>({
    usage: isAnew ? withoutMarks(stageLog) : stageLog,
    judge: foldClaims,
    saveEveryMs,
    now,
    report: async ([folded], offset) => {
      const { findings = [], relearnt = [], unreadable = null } = folded ?? {};
      if (offset < pastOffset) alerter.recall(findings, offset);
      else if (findings.length > 0 || isRecalling) {
        isRecalling = false;
        await alerter.report(findings, offset);
      }
      const messages = [...letters(unreadable, offset), ...relearntIn(options, relearnt)];
      await stageLog.tell(messages, { offset, atMs: 0 });
    },
  });
  log.info({ from: worker.offset(), webhook: config.webhook !== null }, "alerting");
  const failed = Promise.race([alerter.start().failed, worker.start().failed, stageLog.failed]);
  return {
    failed,
    async stop() {
      await worker.stop().catch((error: Error) => log.warn({ error: error.message }, "not saved"));
      await alerter.stop().catch(() => undefined);
      await stageLog.close();
    },
  };
}

/** The same log for a reader that begins with its first entry. */
function withoutMarks(stageLog: KafkaStageLog): Marks & { readonly entries: LogReader } {
  const { entries } = stageLog;
  return { entries, mark: () => undefined, saveMark: (name, value) => stageLog.saveMark(name, value) };
}

/** The alerts as the alerter has saved them, newest first. Takes nothing from it. */
export async function savedAlerts(options: Pick<PartOptions, "config" | "client">): Promise<readonly Alert[]> {
  const state = (await savedMark(placeOf(options, 0), alertsMark)) as AlertBookState | undefined;
  return new AlertBook(state).alerts();
}

/** Whoever may have one of these series hears that it is learnt anew; to others it says nothing. */
function relearntIn({ config }: AlerterPart, relearnt: readonly ClaimName[]): readonly KafkaMessage[] {
  if (relearnt.length === 0) return [];
  const { usage, deltas } = topicsOf(layoutOf(config));
  const value = encodeUsageEntry({ arrivedAtMs: now(), records: [], relearnt });
  const parts = Array.from({ length: config.kafkaPartitions }, (_, partition) => ({ topic: usage, partition, value }));
  return [...parts, { topic: deltas, partition: 0, value }];
}

/**
 * Says among the claims that an alert is the new normal. Resolves once the alerter has heard it and told the detectors.
 * @throws RequestError where none has within ten seconds: one that comes later hears it then.
 */
export async function acceptAlert({ config, client }: Pick<PartOptions, "config" | "client">, alert: Alert) {
  const { claims } = topicsOf(layoutOf(config));
  const producer = await client.producer();
  try {
    await producer.send([{ topic: claims, partition: 0, value: encodeAccepted(now(), incidentOf(alert)) }]);
  } finally {
    await producer.close();
  }
  const group = `${config.kafkaPrefix}.${alerterGroup}`;
  await untilConsumed(client, group, claims, AbortSignal.timeout(heardWithinMs)).catch((error: Error) => {
    const hint = "it is written down and will be heard: see that a --role alerter works (burnwatch lag)";
    throw new RequestError(504, `no alerter has heard it within ${heardWithinMs / 1000} s: ${error.message}`, hint);
  });
}

function placeOf({ config, client }: Pick<PartOptions, "config" | "client">, partition: number) {
  const topics = topicsOf(layoutOf(config));
  const group = `${config.kafkaPrefix}.${alerterGroup}`;
  return { client, group, topic: topics.claims, partition, snapshots: topics.snapshots };
}

/** What causes are found in. */
function spendIn({ config, client, store }: AlerterPart): StoredSpend {
  const written = writtenUsage(client, `${config.kafkaPrefix}.${writerGroup}`, topicsOf(layoutOf(config)).usage);
  return {
    change: (where, before, after) => spendChange(store, { where, before, after }),
    lastCallMs: (where, period) => lastCallMs(store, where, period),
    holds: written,
  };
}

/**
 * Whether the writers have stored what was in the usage topic when it was first asked about this claim: more than the
 * detectors had read by then.
 */
function writtenUsage(client: KafkaClient, group: string, topic: string): (offset: number) => boolean {
  const asked = new Map<number, boolean>();
  return (offset) => {
    const known = asked.get(offset);
    if (known !== undefined) return known;
    for (const oldest of asked.keys()) {
      if (asked.size < askedMax) break;
      asked.delete(oldest);
    }
    asked.set(offset, false);
    untilConsumed(client, group, topic, AbortSignal.timeout(storedWithinMs)).then(
      () => asked.set(offset, true),
      // The next question begins anew.
      () => asked.delete(offset),
    );
    return false;
  };
}
