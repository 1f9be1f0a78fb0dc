/**
 * Membership of a consumer group, for the share of partitions alone: nothing is fetched through it. kafkajs rebalances
 * eagerly (all members give up all partitions and are dealt new ones); what is owned before and after goes on in between,
 * since transactional ids, not the group, keep two owners apart.
 */

import type { Kafka } from "kafkajs";
import type { KafkaMembership } from "./kafka-client.ts";
import { kafkaError } from "./kafkajs-errors.ts";

const sessionTimeoutMs = 10_000;
const heartbeatIntervalMs = 1000;

export async function joinGroup(
  kafka: Kafka,
  group: string,
  topic: string,
  assigned: (partitions: readonly number[]) => void,
): Promise<KafkaMembership> {
  const consumer = kafka.consumer({
    groupId: group,
    sessionTimeout: sessionTimeoutMs,
    heartbeatInterval: heartbeatIntervalMs,
    // Heartbeats come with the fetches that are not made: this is how often.
    maxWaitTimeInMs: heartbeatIntervalMs,
    allowAutoTopicCreation: false,
    retry: { retries: Number.MAX_SAFE_INTEGER, maxRetryTime: 5000, restartOnFailure: async () => true },
  });
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    consumer.pause([{ topic }]);
    assigned(payload.memberAssignment[topic] ?? []);
  });
  try {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({ autoCommit: false, eachBatch: async () => undefined });
  } catch (error) {
    await consumer.disconnect().catch(() => undefined);
    throw kafkaError(error, `join group ${group}`);
  }
  return { leave: () => consumer.disconnect() };
}
