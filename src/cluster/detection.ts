/** The detectors of a cluster: a stage over each partition of the usage topic, and one over what these sum up. */

import type { Claimed, ClaimOptions } from "../detection/claim-judge.ts";
import { DetectionWorker } from "../detection/detection-worker.ts";
import { encodeClaims } from "../detection/fold-claims.ts";
import { judgeInThread } from "../detection/judge.ts";
import type { Stage } from "../detection/stages.ts";
import type { KafkaMessage } from "../event-log/kafka-client.ts";
import { KafkaStageLog } from "../event-log/kafka-stage-log.ts";
import { groupNames, type KafkaTopics, topicsOf } from "../event-log/kafka-topics.ts";
import type { PartitionWorker } from "../event-log/owned-partitions.ts";
import { choicesOf, seriesMax } from "../pipeline.ts";
import { closingIfFailed, failedIn, fetchFailed, layoutOf, measured, now, type PartOptions } from "./parts.ts";
import { lettersOf, snapshotUnreadable } from "./unreadable.ts";

/** The groups of the stages, without their prefix. */
export const detectorGroups: Readonly<Record<Stage, string>> = {
  parts: groupNames.detector,
  wholes: groupNames.wholes,
};
/** What a stage tells waits for more, since a transaction costs the brokers more than what is in it. */
const lingerMs = 400;
/** A process that takes over judges at most so much again. */
const saveEveryMs = 60_000;
const clockMs = 1000;

/** Usage topic to claims, for each share that this process is given; `start` joins both groups. */
export function openDetectors(options: PartOptions) {
  const { config, log, client } = options;
  const topics = topicsOf(layoutOf(config));
  const stages = (["parts", "wholes"] as const).map((stage) =>
    measured(options, {
      client,
      group: `${config.kafkaPrefix}.${detectorGroups[stage]}`,
      topic: inputOf(stage, topics),
      open: (partition) => openStage(options, { stage, topics, partition }),
      failed: failedIn(detectorGroups[stage], log),
    }),
  );
  return {
    async start() {
      for (const stage of stages) await stage.start();
    },
    async stop() {
      for (const stage of stages) await stage.stop();
    },
  };
}

interface StagePart {
  readonly stage: Stage;
  readonly topics: KafkaTopics;
  readonly partition: number;
}

async function openStage(part: PartOptions, { stage, topics, partition }: StagePart): Promise<PartitionWorker> {
  const { config, log, client } = part;
  const group = `${config.kafkaPrefix}.${detectorGroups[stage]}`;
  const stageLog = await KafkaStageLog.open({
    client,
    group,
    topic: inputOf(stage, topics),
    partition,
    snapshots: topics.snapshots,
    paceNow: stage === "parts" ? now : null,
    lingerMs,
    fetchFailed: fetchFailed(log),
    unreadable: snapshotUnreadable(detectorGroups[stage], log),
  });
  return closingIfFailed([stageLog], () => detecting(part, { stage, topics, partition, stageLog }));
}

function detecting(
  part: PartOptions,
  { stage, topics, partition, stageLog }: StagePart & { readonly stageLog: KafkaStageLog },
): PartitionWorker {
  const { config, log } = part;
  const partitions = stage === "parts" ? config.kafkaPartitions : 1;
  const options: ClaimOptions = { choices: choicesOf(config), seriesMax, stage, partitions };
  const told = stage === "parts" ? tellParts(topics) : tellWholes(topics);
  // Of the usage topic writers put aside what cannot be read.
  const letters = lettersOf(part, stageLog, { topic: topics.deltas, partition });
  const worker = new DetectionWorker<Claimed>({
    usage: stageLog,
    judge: judgeInThread<Claimed>(options, new URL("../judge-thread.ts", import.meta.url)),
    saveEveryMs,
    now,
    report: async ([claimed], offset) => {
      if (claimed === undefined) return;
      const aside = stage === "parts" ? [] : letters(claimed.unreadable, offset);
      await stageLog.tell([...told(claimed), ...aside], { offset, atMs: claimed.atMs });
    },
  });
  log.info({ stage, partition, from: worker.offset(), told: stageLog.toldOffset() }, "detecting");
  return {
    failed: Promise.race([worker.start().failed, stageLog.failed]),
    async stop() {
      stageLog.hurry();
      // What cannot be saved is judged again by whoever comes next.
      await worker.stop().catch((error: Error) => log.warn({ stage, partition, error: error.message }, "not saved"));
      await stageLog.close();
    },
  };
}

function inputOf(stage: Stage, topics: KafkaTopics): string {
  return stage === "parts" ? topics.usage : topics.deltas;
}

/** Every entry goes on as sums; the claims go where those of the other stage come, which tells the time there. */
function tellParts(topics: KafkaTopics) {
  return ({ atMs, claims, deltas }: Claimed): readonly KafkaMessage[] => [
    ...(deltas === null ? [] : [{ topic: topics.deltas, partition: 0, value: deltas }]),
    ...(claims.length === 0 ? [] : [{ topic: topics.claims, partition: 0, value: encodeClaims(atMs, claims) }]),
  ];
}

function tellWholes(topics: KafkaTopics) {
  let clock = 0;
  return ({ atMs, claims }: Claimed): readonly KafkaMessage[] => {
    if (claims.length === 0 && atMs < clock + clockMs) return [];
    clock = Math.max(clock, atMs);
    return [{ topic: topics.claims, partition: 0, value: encodeClaims(atMs, claims) }];
  };
}
