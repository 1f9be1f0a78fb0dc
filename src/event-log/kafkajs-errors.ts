/** Errors of kafkajs as those of the contract. */

import { KafkaFenced, KafkaUnavailable } from "./kafka-client.ts";

const fencedTypes = new Set(["INVALID_PRODUCER_EPOCH", "PRODUCER_FENCED", "TRANSACTIONAL_ID_AUTHORIZATION_FAILED"]);
/** Nothing that passes by itself: what was asked for is not there, or not allowed. */
const finalTypes = new Set([
  "OFFSET_OUT_OF_RANGE",
  "TOPIC_AUTHORIZATION_FAILED",
  "GROUP_AUTHORIZATION_FAILED",
  "CLUSTER_AUTHORIZATION_FAILED",
  "MESSAGE_TOO_LARGE",
  "INVALID_TOPIC_EXCEPTION",
  "POLICY_VIOLATION",
  "INVALID_REPLICATION_FACTOR",
]);

interface KafkajsError extends Error {
  readonly type?: string;
  readonly retriable?: boolean;
  readonly cause?: unknown;
}

/** @param doing what was tried, to follow "cannot". */
export function kafkaError(error: unknown, doing: string): Error {
  const { type, name, message } = rootOf(error as KafkajsError);
  const line = `cannot ${doing}: ${message}`;
  if (type !== undefined && fencedTypes.has(type)) return new KafkaFenced(line, { cause: error });
  if ((type !== undefined && finalTypes.has(type)) || name === "KafkaJSSASLAuthenticationError")
    return new Error(line, { cause: error });
  return new KafkaUnavailable(line, { cause: error });
}

/** Which error of the protocol it was, "" where it was none. */
export function protocolError(error: unknown): string {
  return rootOf(error as KafkajsError).type ?? "";
}

/** Beneath what kafkajs wraps around it when it has tried often enough. */
function rootOf(error: KafkajsError): KafkajsError {
  let root = error;
  while (root.type === undefined && root.cause instanceof Error) root = root.cause as KafkajsError;
  return root;
}
