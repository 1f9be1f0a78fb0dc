/** The alerter of a cluster: claims become incidents and alerts, in one process at a time; others stand by. */

import { AlertBook, type AlertBookState } from "../alerting/alert-book.ts";
import { Alerter, alertsMark } from "../alerting/alerter.ts";
import type { StoredSpend } from "../alerting/find-cause.ts";
import type { Terminal } from "../channels/terminal.ts";
import { DetectionWorker } from "../detection/detection-worker.ts";
import { foldClaims } from "../detection/fold-claims.ts";
import type { KafkaClient } from "../event-log/kafka-client.ts";
import { KafkaStageLog, savedMark } from "../event-log/kafka-stage-log.ts";
import { topicsOf } from "../event-log/kafka-topics.ts";
import type { OwnedPartitions, PartitionWorker } from "../event-log/owned-partitions.ts";
import { untilConsumed } from "../event-log/until-consumed.ts";
import type { Alert, Finding } from "../model/finding.ts";
import { channelsOf, noteDelivery } from "../pipeline.ts";
import { lastCallMs, spendChange } from "../query/spend-change.ts";
import type { Store } from "../store/store.ts";
import { failedIn, fetchFailed, layoutOf, measured, now, type PartOptions, writerGroup } from "./parts.ts";

/** The group of the alerters, without its prefix. */
export const alerterGroup = "alerter";
const lingerMs = 400;
const saveEveryMs = 10_000;
/** Longer than anybody waits for a cause. */
const storedWithinMs = 30_000;
/** Claims whose records are looked for in the store at a time; beyond them, they are taken for not stored. */
const askedMax = 100;

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
  const { config, log, metrics } = options;
  const stageLog = await KafkaStageLog.open({
    ...placeOf(options, partition),
    paceNow: null,
    lingerMs,
    fetchFailed: fetchFailed(log),
  });
  const alerter = new Alerter({
    marks: stageLog,
    channels: channelsOf(options),
    store: spendIn(options),
    observe: (event) => noteDelivery(event, metrics, log),
  });
  const worker = new DetectionWorker<readonly Finding[]>({
    usage: stageLog,
    judge: foldClaims,
    saveEveryMs,
    now,
    report: async ([findings = []], offset) => {
      if (findings.length > 0) await alerter.report(findings, offset);
      await stageLog.tell([], { offset, atMs: 0 });
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

/** The alerts as the alerter has saved them, newest first. Takes nothing from it. */
export async function savedAlerts(options: Pick<PartOptions, "config" | "client">): Promise<readonly Alert[]> {
  const state = (await savedMark(placeOf(options, 0), alertsMark)) as AlertBookState | undefined;
  return new AlertBook(state).alerts();
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
