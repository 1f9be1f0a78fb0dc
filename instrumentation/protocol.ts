/**
 * Attribute names and limits that the instrumentation and the server share. Types and strings only.
 * Names of OpenTelemetry are used where they exist; the rest begin with `burnwatch.`.
 */

/** Attribution on a span, or on its resource as the default for all spans. */
export const attributionKeys = {
  tenant: "burnwatch.tenant",
  feature: "burnwatch.feature",
  run: "burnwatch.run.id",
  promptName: "burnwatch.prompt.name",
  promptVersion: "burnwatch.prompt.version",
  outcome: "burnwatch.outcome",
  service: "service.name",
  release: "service.version",
  environment: "deployment.environment.name",
  user: "user.id",
  session: "session.id",
  conversation: "gen_ai.conversation.id",
  agent: "gen_ai.agent.name",
} as const;

/** Completeness: each producer numbers its records 1, 2, 3 ... and flushes a final mark that says how many there were. */
export const completenessKeys = {
  /** Resource attribute: unique per process start. OpenTelemetry's `service.instance.id`. */
  producer: "service.instance.id",
  /** Span attribute: integer from 1, no gaps. */
  sequence: "burnwatch.record.sequence",
  /** Span attribute on a span named `burnwatch.final_mark`: the last sequence number of the process. */
  finalSequence: "burnwatch.record.final_sequence",
} as const;

/** Name of the span that ends a producer's numbering. It is no record. */
export const finalMarkSpanName = "burnwatch.final_mark";

/** Keyed hash of a tool's canonical arguments, hex. */
export const toolArgsHashKey = "burnwatch.tool.args_hash";

/** What a record says beyond OpenTelemetry's names. */
export const recordKeys = {
  /** Integer above 0 on a span sent again: it corrects what an earlier export of the same span said. */
  revision: "burnwatch.revision",
  /** Boolean: the answer was cut off; usage is what was received, and may be missing. */
  partial: "burnwatch.usage.partial",
  /** Integer: chunks with output that a cut-off stream delivered. */
  outputChunks: "burnwatch.stream.output_chunks",
  /** Integer from 1: the how-manieth try of one request this is. */
  attempt: "burnwatch.request.attempt",
  /** Integer: leading characters equal to the prompt before it of the same feature, host and model. */
  stablePrefix: "burnwatch.prompt.stable_prefix_characters",
  /** Keyed hash of the first 1,024 characters of the prompt, 16 hex digits. */
  prefixHash: "burnwatch.prompt.prefix_hash",
  /** Keyed hash of model and whole prompt, 16 hex digits: equal where one answer would do. */
  promptHash: "burnwatch.prompt.hash",
  /** Lists, where an answer asks for several tools; the single names hold the first. */
  toolNames: "burnwatch.tool.names",
  toolHashes: "burnwatch.tool.args_hashes",
  /** Double: seconds of audio, where the provider bills by duration. */
  audioSeconds: "burnwatch.usage.audio_seconds",
  /** On the final mark: records that this process had to drop. */
  dropped: "burnwatch.record.dropped",
} as const;

/** Span of `recordOutcome`: an outcome of a run, joined to its calls by attribution. It is no record. */
export const outcomeSpanName = "burnwatch.outcome";

export const outcomeKeys = {
  name: "burnwatch.outcome",
  value: "burnwatch.outcome.value",
  quality: "burnwatch.outcome.quality",
  revenueUsd: "burnwatch.outcome.revenue_usd",
} as const;
