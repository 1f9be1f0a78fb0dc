/**
 * One process at a time, by membership of a group made for it: whoever is given the only partition of a topic has the
 * turn. The assigners of kafkajs deal anew with each newcomer and would give it away under its holder's hands; this one
 * leaves it with the member that says it has it.
 */

import kafkajs, { type Kafka, type PartitionAssigner } from "kafkajs";
import type { KafkaMembership } from "./kafka-client.ts";
import { openMembership } from "./kafkajs-membership.ts";

const { MemberAssignment, MemberMetadata } = kafkajs.AssignerProtocol;
const name = "HolderFirst";
const version = 1;
const heldText = "held";
const heartbeatIntervalMs = 500;

/**
 * Resolves when it is our turn, until `leave`, or until this process stood still for longer than a session.
 * @throws Error where the brokers do not let us wait any longer.
 */
export async function takeTurn(kafka: Kafka, group: string, topic: string): Promise<KafkaMembership> {
  const turn = Promise.withResolvers<void>();
  turn.promise.catch(() => undefined);
  let holds = false;
  const membership = await openMembership(kafka, {
    group,
    topic,
    heartbeatIntervalMs,
    partitionAssigners: [holderFirst(topic, () => holds)],
    assigned: (partitions) => {
      holds = partitions.includes(0);
      if (holds) turn.resolve();
    },
    // Of one that has the turn already the successor is held back by what it does, not by the group.
    ended: (error) => turn.reject(error),
  });
  try {
    await turn.promise;
  } catch (error) {
    await membership.leave().catch(() => undefined);
    throw error;
  }
  return membership;
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
