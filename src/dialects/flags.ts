/** Doubts and facts about a reading's counts, as they stand in the `flags` of a record. */

export const flags = {
  /** A count was NaN, negative, fractional, above 1e9 or no number at all: dropped. */
  tokenCountDropped: "token_count_dropped",
  /** Arithmetic shows that the producer's input leaves cached tokens out. */
  inputExcludesCache: "input_excludes_cache",
  /** Arithmetic shows that the producer's output leaves reasoning out. */
  outputExcludesReasoning: "output_excludes_reasoning",
  /** Neither arithmetic nor what is known of the emitter says whether input includes cached tokens. */
  cacheSemanticsAssumed: "cache_semantics_assumed",
  /** Only a total is known; it stands in the input bucket. */
  splitUnknown: "token_split_unknown",
  /** Cache writes whose lifetime is not told are priced as those of five minutes. */
  cacheTtlAssumed: "cache_ttl_assumed",
  /** The emitter never tells cached tokens apart: input may be too dear. */
  cacheUnreported: "cache_unreported",
  /** The emitter never tells reasoning apart: it stands in the output bucket. */
  reasoningUnreported: "reasoning_unreported",
  /** A billed call that succeeded says nothing of its tokens. */
  usageUnreported: "usage_unreported",
  /** The emitter guesses counts of this model from the length of texts. */
  usageEstimated: "usage_estimated",
  /** JSON with counts was cut off or is no JSON. */
  usageUnreadable: "usage_unreadable",
  /** The tokens are the sum over the calls of an agent, a workflow or a step. */
  usageAggregated: "usage_aggregated",
  /** The operation's name is unknown; it is read as a chat because it reports tokens. */
  operationUnknown: "operation_unknown",
  /** A usage family has a count above zero that no bucket takes. */
  unknownUsageKey: "unknown_usage_key",
  /** A client tried again what had failed. */
  repeatedAttempt: "repeated_attempt",
  /** The answer was not received to its end. */
  answerCutOff: "answer_cut_off",
  /** The emitter's cost was no amount of dollars: dropped. */
  reportedCostDropped: "reported_cost_dropped",
} as const;
