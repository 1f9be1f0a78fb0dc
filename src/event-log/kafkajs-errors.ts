/** Errors of kafkajs as those of the contract. */

import { KafkaFenced, KafkaOutOfRange, KafkaUnavailable } from "./kafka-client.ts";
import { fencedTypes, finalTypes, outOfRangeType } from "./protocol-errors.ts";

/**
 * The coordinator still writes the end of the transaction before (milliseconds), or is about to move. kafkajs tries some
 * of these again and some not.
 */
const passing = new Set([
  "CONCURRENT_TRANSACTIONS",
  "GROUP_COORDINATOR_NOT_AVAILABLE",
  "NOT_COORDINATOR_FOR_GROUP",
  "GROUP_LOAD_IN_PROGRESS",
]);
/** Whoever was asked does not lead the partition yet, or not any longer. */
const leaderless = new Set(["UNKNOWN_TOPIC_OR_PARTITION", "NOT_LEADER_FOR_PARTITION", "LEADER_NOT_AVAILABLE"]);
const leaderRetryMs = 50;
const passingRetryMs = 3;
const passingMaxMs = 10_000;

interface KafkajsError extends Error {
  readonly type?: string;
  readonly retriable?: boolean;
  readonly cause?: unknown;
}

/** What has to be granted where brokers refuse something, by the kind of resource that their answer names. */
export interface Rights {
  readonly topic?: string;
  readonly group?: string;
  readonly transactionalId?: string;
  readonly cluster?: string;
}

/** What whoever appends needs before it says where. */
export const appendRight = "Write on a topic it appends to, or IdempotentWrite on the cluster,";

/** @param doing what was tried, to follow "cannot". */
export function kafkaError(error: unknown, doing: string, rights: Rights = {}): Error {
  const { type = "", name, message } = rootOf(error as KafkajsError);
  const line = `cannot ${doing}: ${message}${grantOf(type, rights) ?? coordinatorHint(name, rights) ?? whatToDo({ type, name, message })}`;
  if (fencedTypes.has(type)) return new KafkaFenced(line, { cause: error });
  if (type === outOfRangeType) return new KafkaOutOfRange(line, { cause: error });
  if (finalTypes.has(type) || name === "KafkaJSSASLAuthenticationError") return new Error(line, { cause: error });
  return new KafkaUnavailable(line, { cause: error });
}

/** Names the resource and the right, undefined where it was not refused. */
function grantOf(type: string, { topic, group, transactionalId, cluster }: Rights): string | undefined {
  const right = {
    TOPIC_AUTHORIZATION_FAILED: topic,
    GROUP_AUTHORIZATION_FAILED: group,
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED: transactionalId,
    CLUSTER_AUTHORIZATION_FAILED: cluster,
  }[type];
  return right === undefined ? undefined : `; allow ${right} to the user of kafka.user (deploy/KAFKA-ACLS.md)`;
}

/** The library tells nothing of why nobody says who looks after a group or a transactional id. */
function coordinatorHint(name: string, { group, transactionalId }: Rights): string | undefined {
  const right = group ?? transactionalId;
  if (name !== "KafkaJSGroupCoordinatorNotFound" || right === undefined) return undefined;
  return `; where the brokers are up, allow ${right} to the user of kafka.user (deploy/KAFKA-ACLS.md)`;
}

/** Where it is known, behind the error. */
function whatToDo({ type, name, message }: Pick<KafkajsError, "type" | "name" | "message">): string {
  if (type === "INVALID_REPLICATION_FACTOR")
    return "; set kafka.replicas (BURNWATCH_KAFKA_REPLICAS) to no more than the brokers that are up";
  if (name === "KafkaJSSASLAuthenticationError" || /SASL .*not supported|mechanism/i.test(message))
    return "; correct kafka.sasl, kafka.user and kafka.password, or renew what has expired";
  if (/certificate|alert|unable to (?:verify|get)/i.test(message))
    return "; correct kafka.tls_ca, kafka.tls_cert and kafka.tls_key, or renew what has expired";
  if (/AUTHORIZATION_FAILED|not authorized/i.test(message)) return "; allow it to the user of kafka.user";
  return "";
}

/** Whether this user may not do what was asked: nothing that passes by itself. */
export function isRefused(error: unknown): boolean {
  return protocolError(error).endsWith("AUTHORIZATION_FAILED");
}

/** Which error of the protocol it was, "" where it was none. */
export function protocolError(error: unknown): string {
  return rootOf(error as KafkajsError).type ?? "";
}

/** Makes a request that may be repeated, until the coordinator is there. */
export async function untilPassed<Result>(attempt: () => Promise<Result>): Promise<Result> {
  const deadline = performance.now() + passingMaxMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!passing.has(protocolError(error)) || performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, passingRetryMs));
    }
  }
}

/** Asks those who lead partitions, until they know it: right after a topic was made, or a leader has moved. */
export async function untilLed<Answer>(
  cluster: { refreshMetadata(): Promise<void> },
  question: () => Promise<Answer>,
): Promise<Answer> {
  const deadline = performance.now() + passingMaxMs;
  for (;;) {
    try {
      return await question();
    } catch (error) {
      if (!leaderless.has(protocolError(error)) || performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, leaderRetryMs));
      await cluster.refreshMetadata();
    }
  }
}

/** Beneath what kafkajs wraps around it when it has tried often enough. */
function rootOf(error: KafkajsError): KafkajsError {
  let root = error;
  for (;;) {
    // Of several topics at once, the first that was refused.
    const [first] = (root as { readonly errors?: readonly unknown[] }).errors ?? [];
    if (root.type === undefined && root.cause instanceof Error) root = root.cause as KafkajsError;
    else if (root.type === undefined && first instanceof Error) root = first as KafkajsError;
    else return root;
  }
}
