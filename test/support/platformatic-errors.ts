/** Errors of `@platformatic/kafka` as those of the contract. */

import { findErrorBy } from "@platformatic/kafka";
import { KafkaFenced, KafkaOutOfRange, KafkaUnavailable } from "../../src/event-log/kafka-client.ts";
import { fencedTypes, finalTypes, outOfRangeType } from "../../src/event-log/protocol-errors.ts";

/** @param doing what was tried, to follow "cannot". */
export function kafkaError(error: unknown, doing: string): Error {
  const type = protocolError(error);
  const line = `cannot ${doing}: ${type === "" ? (error as Error).message : type}`;
  if (fencedTypes.has(type)) return new KafkaFenced(line, { cause: error });
  if (type === outOfRangeType) return new KafkaOutOfRange(line, { cause: error });
  if (finalTypes.has(type)) return new Error(line, { cause: error });
  return new KafkaUnavailable(line, { cause: error });
}

/** Which error of the protocol it was, "" where it was none. */
export function protocolError(error: unknown): string {
  for (const type of interesting) if (findErrorBy(error as Error, "apiId", type) !== null) return type;
  return "";
}

/** Those that something here depends on; several may be in one error. */
const interesting = [
  ...fencedTypes,
  ...finalTypes,
  outOfRangeType,
  "CONCURRENT_TRANSACTIONS",
  "COORDINATOR_NOT_AVAILABLE",
  "COORDINATOR_LOAD_IN_PROGRESS",
  "NOT_COORDINATOR",
  "TOPIC_ALREADY_EXISTS",
  "UNKNOWN_TOPIC_OR_PARTITION",
];
