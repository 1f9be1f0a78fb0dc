/**
 * Membership of a consumer group, for the share of partitions alone: nothing is fetched through it. kafkajs rebalances
 * eagerly (all members give up all partitions and are dealt new ones); what is owned before and after goes on in between,
 * since transactional ids, not the group, keep two owners apart.
 *
 * Its consumer begins anew after errors that it takes for passing. After others (a right or a password that was taken
 * away, a fault of its own) it ends, and says so in an event alone.
 */

import { setTimeout } from "node:timers/promises";
import type { Kafka, PartitionAssigner } from "kafkajs";
import type { GroupMember, KafkaMembership } from "./kafka-client.ts";
import { kafkaError } from "./kafkajs-errors.ts";

export interface MembershipOptions {
  readonly group: string;
  readonly topic: string;
  readonly heartbeatIntervalMs: number;
  readonly partitionAssigners?: PartitionAssigner[];
  /** Told of each new share. */
  readonly assigned: (partitions: readonly number[]) => void;
  /** Told once that the membership has ended by itself. */
  readonly ended: (error: Error) => void;
}

const sessionTimeoutMs = 10_000;
const heartbeatIntervalMs = 1000;
const [rejoinMsMin, rejoinMsMax] = [1000, 15_000];

/** Resolves when it was joined once, or goes on trying. @throws Error where that cannot succeed. */
export async function openMembership(kafka: Kafka, options: MembershipOptions): Promise<KafkaMembership> {
  const { group, topic, partitionAssigners } = options;
  const consumer = kafka.consumer({
    groupId: group,
    sessionTimeout: sessionTimeoutMs,
    heartbeatInterval: options.heartbeatIntervalMs,
    // Heartbeats come with the fetches that are not made: this is how often.
    maxWaitTimeInMs: options.heartbeatIntervalMs,
    allowAutoTopicCreation: false,
    ...(partitionAssigners === undefined ? {} : { partitionAssigners }),
    retry: { retries: Number.MAX_SAFE_INTEGER, maxRetryTime: 5000, restartOnFailure: async () => true },
  });
  const rights = { topic: `Describe on topic ${topic}`, group: `Read on group ${group}` };
  let [isOpen, crash]: [boolean, Error | undefined] = [false, undefined];
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    consumer.pause([{ topic }]);
    if (crash === undefined) options.assigned(payload.memberAssignment[topic] ?? []);
  });
  consumer.on(consumer.events.CRASH, ({ payload: { error, restart } }) => {
    if (restart || crash !== undefined) return;
    crash = kafkaError(error, `stay in group ${group}`, rights);
    if (isOpen) options.ended(crash);
  });
  try {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({ autoCommit: false, eachBatch: async () => undefined });
    if (crash !== undefined) throw crash;
  } catch (error) {
    await consumer.disconnect().catch(() => undefined);
    throw error === crash ? error : kafkaError(error, `join group ${group}`, rights);
  }
  isOpen = true;
  return { leave: () => consumer.disconnect() };
}

/** Joins, and joins anew when the membership has ended by itself; meanwhile nothing is ours. */
export async function joinGroup(
  kafka: Kafka,
  group: string,
  topic: string,
  { assigned, outside }: GroupMember,
): Promise<KafkaMembership> {
  const leaving = new AbortController();
  const { signal } = leaving;
  const open = () => openMembership(kafka, { group, topic, heartbeatIntervalMs, assigned, ended });
  let rejoining: Promise<void> | undefined;
  let membership: KafkaMembership | undefined = await open();

  function ended(error: Error): void {
    rejoining = rejoin(error);
  }

  async function rejoin(ending: Error): Promise<void> {
    const before = membership;
    membership = undefined;
    assigned([]);
    await before?.leave().catch(() => undefined);
    let error = ending;
    for (let retryMs = rejoinMsMin; !signal.aborted; retryMs = Math.min(retryMs * 2, rejoinMsMax)) {
      outside?.(error, retryMs);
      await setTimeout(retryMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      try {
        membership = await open();
        return;
      } catch (again) {
        error = again as Error;
      }
    }
  }

  return {
    async leave() {
      leaving.abort();
      await rejoining;
      await membership?.leave();
    },
  };
}
