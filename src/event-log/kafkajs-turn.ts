/**
 * One process at a time, by membership of a group made for it: whoever is given the only partition of a topic has the
 * turn. The assigners of kafkajs deal anew with each newcomer and would give it away under its holder's hands; this one
 * leaves it with the member that says it has it.
 */

import kafkajs, { type Kafka, type PartitionAssigner } from "kafkajs";
import type { KafkaMembership } from "./kafka-client.ts";
import { kafkaError } from "./kafkajs-errors.ts";

const { MemberAssignment, MemberMetadata } = kafkajs.AssignerProtocol;
const name = "HolderFirst";
const version = 1;
const heldText = "held";
const sessionTimeoutMs = 10_000;
const heartbeatIntervalMs = 500;

/** Resolves when it is our turn, until `leave`, or until this process stood still for longer than a session. */
export async function takeTurn(kafka: Kafka, group: string, topic: string): Promise<KafkaMembership> {
  const turn = Promise.withResolvers<void>();
  let holds = false;
  const consumer = kafka.consumer({
    groupId: group,
    sessionTimeout: sessionTimeoutMs,
    heartbeatInterval: heartbeatIntervalMs,
    // Heartbeats come with the fetches that are not made: this is how often.
    maxWaitTimeInMs: heartbeatIntervalMs,
    allowAutoTopicCreation: false,
    partitionAssigners: [holderFirst(topic, () => holds)],
    retry: { retries: Number.MAX_SAFE_INTEGER, maxRetryTime: 5000, restartOnFailure: async () => true },
  });
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    consumer.pause([{ topic }]);
    holds = payload.memberAssignment[topic]?.includes(0) === true;
    if (holds) turn.resolve();
  });
  try {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({ autoCommit: false, eachBatch: async () => undefined });
    await turn.promise;
  } catch (error) {
    await consumer.disconnect().catch(() => undefined);
    throw kafkaError(error, `join group ${group}`);
  }
  return { leave: () => consumer.disconnect() };
}

function holderFirst(topic: string, holds: () => boolean): PartitionAssigner {
  return () => ({
    name,
    version,
    async assign({ members }) {
      const says = members.find(({ memberMetadata }) => userDataOf(memberMetadata) === heldText);
      const holder = (says ?? members[0])?.memberId;
      return members.map(({ memberId }) => ({
        memberId,
        memberAssignment: MemberAssignment.encode({
          version,
          assignment: memberId === holder ? { [topic]: [0] } : {},
          userData: Buffer.alloc(0),
        }),
      }));
    },
    protocol: ({ topics }) => ({
      name,
      metadata: MemberMetadata.encode({ version, topics, userData: Buffer.from(holds() ? heldText : "") }),
    }),
  });
}

function userDataOf(metadata: Buffer): string {
  return MemberMetadata.decode(metadata)?.userData.toString() ?? "";
}
