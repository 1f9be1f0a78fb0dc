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

/** @param doing what was tried, to follow "cannot". */
export function kafkaError(error: unknown, doing: string): Error {
  const { type, name, message } = rootOf(error as KafkajsError);
  const line = `cannot ${doing}: ${message}${whatToDo(name, message)}`;
  if (type !== undefined && fencedTypes.has(type)) return new KafkaFenced(line, { cause: error });
  if (type === outOfRangeType) return new KafkaOutOfRange(line, { cause: error });
  if ((type !== undefined && finalTypes.has(type)) || name === "KafkaJSSASLAuthenticationError")
    return new Error(line, { cause: error });
  return new KafkaUnavailable(line, { cause: error });
}

/** Where it is known, behind the error. */
function whatToDo(name: string, message: string): string {
  if (name === "KafkaJSSASLAuthenticationError" || /SASL .*not supported|mechanism/i.test(message))
    return "; correct kafka.sasl, kafka.user and kafka.password, or renew what has expired";
  if (/certificate|alert|unable to (?:verify|get)/i.test(message))
    return "; correct kafka.tls_ca, kafka.tls_cert and kafka.tls_key, or renew what has expired";
  if (/AUTHORIZATION_FAILED|not authorized/i.test(message)) return "; allow it to the user of kafka.user";
  return "";
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
  while (root.type === undefined && root.cause instanceof Error) root = root.cause as KafkajsError;
  return root;
}
