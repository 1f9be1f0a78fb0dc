/** Errors of the protocol by their names, as far as they decide what is done next. */

/** Somebody else has taken over. */
export const fencedTypes: ReadonlySet<string> = new Set(["INVALID_PRODUCER_EPOCH", "PRODUCER_FENCED"]);

/** What was asked for is not kept any more, or was never there. */
export const outOfRangeType = "OFFSET_OUT_OF_RANGE";

/** Nothing that passes by itself: what was asked for is not there, or not allowed. */
export const finalTypes: ReadonlySet<string> = new Set([
  "TOPIC_AUTHORIZATION_FAILED",
  "GROUP_AUTHORIZATION_FAILED",
  "CLUSTER_AUTHORIZATION_FAILED",
  "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
  "MESSAGE_TOO_LARGE",
  "INVALID_TOPIC_EXCEPTION",
  "POLICY_VIOLATION",
  "INVALID_REPLICATION_FACTOR",
]);
